"""Where the migration stands: the facts are read once; gate, status, page, log line and metrics are made from them.

Entry points: ``snapshot.take_snapshot``, ``snapshot.take_running_snapshot``, ``identity.read_identity``, ``gate.ask_gate``,
``gauges.MigrationGauges``.
"""
