"""What a validation counts. The tallies of pages and segments are added up, and saved as JSON in the control table."""

from collections import Counter
from collections.abc import Iterable

Tally = Counter[tuple[str, ...]]
"""(``items``, entity, column) | (``index``, entity, index, column) | (``run``, counter) -> how many."""

COLUMNS = ("old", "v2", "equal", "missing", "extra", "mismatch", "quarantined", "tombstones")
INDEX_COLUMNS = ("checked", "found", "missing", "unchecked")


def count_item(tally: Tally, entity: str, *columns: str) -> None:
    """Count one item of ``entity`` under each of ``columns``."""
    for column in columns:
        tally["items", entity, column] += 1


def count_index(tally: Tally, entity: str, index: str, *columns: str) -> None:
    """Count one look-up of an item of ``entity`` in ``index`` under each of ``columns``."""
    for column in columns:
        tally["index", entity, index, column] += 1


def count_run(tally: Tally, counter: str, n: int = 1) -> None:
    """Add ``n`` to a count of the run: ``differences``, ``set_aside``, ``inverse_failures``, ``index_missing``, ``repaired``,
    ``not_yet`` or ``left_out``."""
    tally["run", counter] += n


def items_table(tally: Tally, entities: Iterable[str]) -> dict[str, dict[str, int]]:
    """Entity -> column -> count, with all columns, for ``entities`` and every other entity that was counted."""
    named = [*entities, *sorted({key[1] for key in tally if key[0] == "items"} - set(entities))]
    return {entity: {column: tally["items", entity, column] for column in COLUMNS} for entity in named}


def index_table(tally: Tally) -> dict[str, dict[str, dict[str, int]]]:
    """Entity -> index -> column -> count."""
    pairs = sorted({(key[1], key[2]) for key in tally if key[0] == "index"})
    table: dict[str, dict[str, dict[str, int]]] = {}
    for entity, index in pairs:
        columns = {column: tally["index", entity, index, column] for column in INDEX_COLUMNS}
        table.setdefault(entity, {})[index] = columns
    return table


def to_rows(tally: Tally) -> list[list[str | int]]:
    """The tally as JSON rows."""
    return [[*key, n] for key, n in sorted(tally.items())]


def from_rows(rows: Iterable[list[str | int]]) -> Tally:
    """The tally that ``to_rows`` wrote."""
    return Counter({tuple(str(part) for part in row[:-1]): int(row[-1]) for row in rows})
