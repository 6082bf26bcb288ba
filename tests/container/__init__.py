"""The image and the compose file, run for real."""
