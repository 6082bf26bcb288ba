"""Applies changes both ways by the rule in force, and keeps v2 tidy.

Entry points: ``worker.sync_lanes``, ``worker.catch_up``, ``positions.require_started``; the lanes ``forward_lane.ForwardLane`` and
``reverse_lane.ReverseLane``; how a lane reads: ``lane.read_alone``, ``shared_lane.read_shared``.
"""
