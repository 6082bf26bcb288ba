"""Makes mappings, items, tables and settings for tests."""
