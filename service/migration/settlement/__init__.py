"""Quarantine and conflicts, as an operator settles them."""
