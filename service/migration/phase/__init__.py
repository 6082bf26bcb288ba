"""Moves the phase: gate, hook, and steps that are stored one by one.

Entry points: ``move.make_move``, ``move.preview_move``, ``hold.hold``, ``hold.release``, ``move_context.move_context``.
"""
