"""Whole parts of the product put together over fakes: a backfill, a sync, a migration, with a clock of the test's own."""
