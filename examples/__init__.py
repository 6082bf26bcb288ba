"""The repository layer of a CRM that moves from one table to v2 tables: before, on the way, and after."""
