"""What the forward lane does beside applying changes: purge tombstones, trim the ledger, verify touched keys, delete
old conflicts.

Entry points: ``purge.Purger``, ``expire.Expirer``, ``verify.Verifier``, ``trim.Trimmer``.
"""
