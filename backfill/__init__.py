"""The backfill: copies the old table into the v2 tables, once, segment by segment, resumable from any page."""
