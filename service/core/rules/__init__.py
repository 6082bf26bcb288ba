"""What becomes of a change: the guarded rule, the ledger rule, and what judges them."""
