"""Makes a release: the image, what is in it, the Python packages, and their checksums."""
