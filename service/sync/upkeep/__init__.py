"""What the forward lane does beside applying changes: purge tombstones, trim the ledger, verify touched keys.

Entry points: ``purge.Purger``, ``verify.Verifier``, ``trim.Trimmer``.
"""
