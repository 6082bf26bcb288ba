"""One snapshot, many renderings."""
