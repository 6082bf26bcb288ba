"""Conflicts as people read them: short ids, a line for each in a list, and a diff of the three versions of one."""

import json
from collections.abc import Collection, Iterator, Mapping
from typing import Any

from service.control.short_ids import short_ids
from service.core.item.wire import plain_key_text
from service.escape import lines_of

ABSENT = "(absent)"

Row = Mapping[str, Any]
"""An item of the documents of ``service.control.conflict_documents``."""


def list_text(rows: Collection[Row]) -> str:
    """A line for each conflict and held item."""
    short = short_ids([row["id"] for row in rows])
    return lines_of(_line(row, short[row["id"]]) for row in rows)


def _line(row: Row, short: str) -> str:
    if row["kind"] == "two_live_keys":
        return f"{short}  two_live_keys  {key_of(row)}: {row['remedy']}"
    fields = f" ({', '.join(row['fields'])})" if row["fields"] else ""
    resolution = row["resolution"]
    end = f", resolved: {resolution['kept']} kept by {resolution['by']} at {resolution['at']}" if resolution else ""
    return f"{short}  {row['reason']}  {key_of(row)}{fields}{end}"


def key_of(row: Row) -> str:
    """The old key in one line."""
    return plain_key_text(row["key"])


def diff_text(document: Row) -> str:
    """A conflict or held item in full: which it is, what the old side changed, what v2 had then, what differs now."""
    if document["kind"] == "two_live_keys":
        places = [f"  {_place(place)}" for place in document["v2"]]
        return lines_of(
            [f"two live keys on v2 of {key_of(document)}, since {document['at']}", *places, document["remedy"]]
        )
    change = document["change"]
    head = f"{document['reason']}  {document['entity']}  {key_of(document)}, at {document['at']}"
    then = [line for place in document["v2"] for line in _item(f"v2 had then, {_place(place)}", place["item"])]
    return lines_of(
        [
            f"{document['id']}",
            head,
            *_changes("the change on the old side that lost", change["old"], change["new"]),
            *then,
            *_lost(document["lost_by_keep_v2"]),
        ]
    )


def _changes(title: str, before: Row | None, after: Row | None) -> Iterator[str]:
    """The attributes that differ, before with -, after with +."""
    yield f"{title}{' (a delete)' if after is None else ''}:"
    for name in sorted({*(before or {}), *(after or {})}):
        was, now = (before or {}).get(name), (after or {}).get(name)
        if was == now:
            continue
        if was is not None:
            yield f"  - {name}: {_value(was)}"
        if now is not None:
            yield f"  + {name}: {_value(now)}"


def _item(title: str, item: Row | None) -> Iterator[str]:
    yield f"{title}:{'' if item else f' {ABSENT}'}"
    yield from (f"    {name}: {_value(value)}" for name, value in sorted((item or {}).items()))


def _lost(lines: Collection[str]) -> Iterator[str]:
    yield "what `--keep v2` gives up:" if lines else "`--keep v2` gives up nothing"
    yield from (f"  {line}" for line in lines)


def _place(place: Row) -> str:
    return f"{place['table']} {key_of(place)}"


def _value(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)
