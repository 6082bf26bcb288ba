"""A rehearsal: a whole migration, there and back, under live writers, and a check from outside that no write was lost.

Entry points: ``drill.run_drill``, ``demo.run.run_demo``.
"""
