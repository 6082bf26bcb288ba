"""What a lane hands its changes to, by the rule in force."""
