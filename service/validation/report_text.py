"""The validation report as text, from its document."""

from collections.abc import Mapping, Sequence
from io import StringIO
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from service.escape import escaped
from service.validation.tally import COLUMNS, INDEX_COLUMNS


def report_text(document: Mapping[str, Any], width: int) -> str:
    """Counts, index checks, the first differences, and the result in the last line."""
    out = StringIO()
    console = Console(file=out, width=width, highlight=False)
    console.print(_counts(document["counts"]))
    if document["index_checks"]:
        console.print(_indexes(document["index_checks"]))
    if document["differences"]:
        console.print(_differences(document["differences"], document["differences_total"]))
    if document["left_out"]:
        console.print(f"{document['left_out']:,} items stay behind in the old table, as leave_out of the mapping says")
    console.print(_result(document), markup=False, soft_wrap=True)
    return out.getvalue()


def _counts(counts: Mapping[str, Mapping[str, int]]) -> Table:
    table = Table("entity", title="items")
    for column in COLUMNS:
        table.add_column(column, justify="right")
    for entity, row in counts.items():
        table.add_row(entity, *(f"{row[column]:,}" for column in COLUMNS))
    return table


def _indexes(checks: Mapping[str, Mapping[str, Mapping[str, int]]]) -> Table:
    table = Table("entity", "index", title="index checks")
    for column in INDEX_COLUMNS:
        table.add_column(column, justify="right")
    for entity, indexes in checks.items():
        for index, row in indexes.items():
            table.add_row(entity, index, *(f"{row[column]:,}" for column in INDEX_COLUMNS))
    return table


def _differences(rows: Sequence[Mapping[str, Any]], total: int, shown: int = 20) -> Table:
    table = Table(
        "kind",
        "entity",
        "old key",
        "v2 key",
        "fields",
        title=f"differences ({min(shown, total)} of {total:,})",
    )
    for row in rows[:shown]:
        keys = ("/".join((row[side] or {}).values()) or "-" for side in ("old_key", "v2_key"))
        cells = (row["kind"], row["entity"], *keys, ", ".join(row["fields"]))
        table.add_row(*map(Text, map(escaped, cells)))  # as plain text: a key may look like markup
    return table


def _result(document: Mapping[str, Any]) -> str:
    facts = [
        f"{document['differences_total']:,} differences",
        f"{document['inverse_failures']:,} inverse failures",
    ]
    if document["not_yet"]:
        facts.append(f"{document['not_yet']:,} keys kept changing: validate again when they are quieter")
    if document["repaired"]:
        facts.append(f"{document['repaired']:,} repaired")
    if document["resumed"]:
        facts.append(f"gone on with from the run begun at {document['started_at']}")
    if document["remedy"]:
        facts.append(document["remedy"])
    return f"validation {document['id']}: {document['result']} ({'; '.join(facts)})"
