"""Compares the old table with the v2 tables while writes go on, re-checks and repairs what differs, and reports it.

Entry points: ``validator.validate``, ``options.ValidationOptions``, ``report.Report``.
"""
