"""Holds documents, images and benchmarks to what the code says."""
