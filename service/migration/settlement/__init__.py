"""How an operator settles keys in quarantine and conflicts.

Entry points: ``quarantine.retry_key``, ``quarantine.drop_from_quarantine``, ``resolution.ConflictResolver``.
"""
