"""What survives a crash: typed records in the control table. Only this package knows the form of the control table.

Entry points: ``table.ControlTable``, ``stores.Stores``, ``state.load_started_state`` and ``state.change_state``,
``leases.Lease``, ``workers.Workers``, and one class for each other kind of record: ``checkpoints.Checkpoints``,
``claims.SharedCheckpoints``, ``ledger.Ledger``, ``quarantine.Quarantine``, ``conflicts.Conflicts``, ``activity.Activities``,
``audit.Audit``.
"""
