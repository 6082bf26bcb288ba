"""Traces of an earlier migration in the tables: whether a control table that knows of none has been lost, or made anew by hand."""

from service.core.mapping.mapping import Mapping
from service.core.rules.authorship import by_ledger_rule
from service.dynamodb.protocol import ItemStore
from service.errors import Fatal


async def require_no_traces(store: ItemStore, mapping: Mapping, page_items: int) -> None:
    """Raises Fatal when the first page of a table shows a write by the ledger rule: what a migration begun anew would take for
    the application's, and the guarded rule would overwrite what was written on v2."""
    for table in (*mapping.tables, mapping.old.table):
        page = await store.scan(table, segment=0, segments=1, start=None, limit=page_items)
        if any(by_ledger_rule(item, mapping.stamp) for item in page.items):
            raise Fatal(
                f"the control table knows of no migration, but items of {table} were written by one that went both ways",
                remedy="restore the control table from its backup; to start over instead, begin with new v2 tables, and take "
                f"the attribute {mapping.stamp!r} off the items of {mapping.old.table}",
            )
