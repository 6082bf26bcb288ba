"""Makes a release: the image, its bill of materials, the Python packages, and their checksums."""
