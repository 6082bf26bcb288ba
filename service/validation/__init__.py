"""Validation's parts: the two walks, the re-check of differences, index checks, repair, progress and the
report."""
