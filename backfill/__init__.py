"""Copies the old table into the v2 tables once, resumable from any page.

Entry points: ``worker.run_backfill``, ``worker.run_array_job``, ``records.read_run_status``.
"""
