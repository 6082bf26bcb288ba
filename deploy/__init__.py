"""How tablesplit is run and watched; no part of the package."""
