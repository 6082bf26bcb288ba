"""Applies changes both ways by the rule in force, and keeps v2 tidy.

Entry points: ``worker.sync_lanes``, ``worker.catch_up``, ``positions.require_started``.
"""
