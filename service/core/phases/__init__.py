"""The phases, the moves between them, and their gates."""
