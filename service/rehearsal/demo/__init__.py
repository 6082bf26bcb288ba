"""`tablesplit demo` and `tablesplit seed`: a migration of real sales figures on a local server, under live writers.

Entry points: ``run.run_demo``, ``seed.seed_old_table``, ``seed.keep_writing``.
"""
