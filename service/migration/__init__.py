"""What the operator does, each act repeatable after a kill, and where the whole migration stands.

Entry points: ``start.create_and_start``, ``backfill.copy_old_table``, ``validation.run_validation``, ``phase.move.make_move``,
``status.snapshot.take_snapshot``; ``full_migration.run_full_migration``, ``remap.remap``, ``teardown.drop_all``.
"""
