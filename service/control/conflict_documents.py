"""The documents that list the conflict log, for the command line and for HTTP."""

from typing import Any

from service.clock import iso
from service.control.conflicts import ConflictHead, Conflicts, Held
from service.core.item.wire import plain_key


async def listing(conflicts: Conflicts, *, resolved: bool = False) -> dict[str, Any]:
    """The document of `conflicts list --json`, oldest first: open conflicts and held items.

    ``resolved``: resolved conflicts too.
    """
    heads = await (conflicts.heads() if resolved else conflicts.open_heads())
    rows = [described(name, head) for name, head in heads.items()]
    rows += [described_held(name, item) for name, item in (await conflicts.held()).items()]
    return {"items": sorted(rows, key=lambda row: (row["at"], row["id"]))}


async def page(conflicts: Conflicts, after: str, limit: int) -> dict[str, Any]:
    """The document of /v1/conflicts: at most ``limit`` open conflicts and held items after the id ``after``, in the order of ids.

    ``next``: the id after which the list goes on, or None.
    """
    heads, held = await conflicts.after(after, limit)
    rows = {name: described(name, head) for name, head in heads.items() if head.resolution is None}
    rows |= {name: described_held(name, item) for name, item in held.items()}
    complete_to = min((list(found)[-1] for found in (heads, held) if len(found) == limit), default=None)
    names = sorted(name for name in rows if complete_to is None or name <= complete_to)
    shown = names[:limit]
    return {"items": [rows[name] for name in shown], "next": shown[-1] if len(names) > limit else complete_to}


def described(conflict_id: str, head: ConflictHead) -> dict[str, Any]:
    """One conflict of the listing."""
    resolution = head.resolution
    return {
        "id": conflict_id,
        "kind": "conflict",
        "table": head.old_table,
        "key": plain_key(head.key),
        "entity": head.entity,
        "reason": head.reason,
        "fields": list(head.fields),
        "at": iso(head.at),
        "resolution": {"kept": resolution.kept, "by": resolution.by, "at": iso(resolution.at)} if resolution else None,
        "remedy": "" if resolution else f"see `tablesplit conflicts show {conflict_id}`, then resolve it",
    }


def described_held(name: str, held: Held) -> dict[str, Any]:
    """One held item of the listing."""
    places = [{"table": table, "key": plain_key(key)} for table, key in held.keys]
    return {
        "id": name,
        "kind": "two_live_keys",
        "table": held.old_table,
        "key": plain_key(held.key),
        "entity": held.entity,
        "v2": places,
        "at": iso(held.since),
        "remedy": "delete one of the two on v2",
    }
