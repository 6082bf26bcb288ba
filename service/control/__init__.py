"""What survives a crash: typed records in the control table. Only this package knows the form of the control table.

Entry points: ``table.ControlTable``, ``stores.Stores``, ``state.load_started_state`` and ``state.change_state``,
``leases.Lease``, ``workers.Workers``, and one class for each other kind of record: ``checkpoints.Checkpoints``,
``claims.SharedCheckpoints``, ``ledger.Ledger``, ``quarantine.Quarantine``, ``waiting_changes.WaitingChanges``,
``conflicts.Conflicts``, ``activity.Activities``, ``audit.Audit``. The files ``repairs``, ``verification`` and ``engine`` have
functions instead: the repairs under way, the result of the last verification, and the stream engine in force.
"""
