"""The documents that list and show what is in quarantine, for the command line and for HTTP."""

from collections.abc import Sequence
from typing import Any

from service.clock import iso
from service.control.quarantine import Quarantine, QuarantineHead
from service.control.waiting_changes import WaitingChange
from service.core.item.wire import plain_key
from service.core.rules import units as item_units


def listing(heads: dict[str, QuarantineHead]) -> dict[str, Any]:
    """The document of `quarantine list --json`, oldest first."""
    ordered = sorted(heads.items(), key=lambda item: (item[1].first_seen, item[0]))
    return {"items": [described(key_id, head) for key_id, head in ordered]}


async def page(quarantine: Quarantine, after: str, limit: int) -> dict[str, Any]:
    """The document of /v1/quarantine: how many keys there are, and at most ``limit`` of them after the id ``after``.

    ``next``: the id after which the list goes on, or None.
    """
    heads = await quarantine.page(after, limit)
    return {
        "count": await quarantine.count(),
        "items": [described(key_id, head) for key_id, head in heads.items()],
        "next": list(heads)[-1] if len(heads) == limit else None,
    }


def described(key_id: str, head: QuarantineHead) -> dict[str, Any]:
    """One key of the listing."""
    return {
        "id": key_id,
        "table": head.table,
        "key": plain_key(head.key),
        "reason": head.reason,
        "message": head.message,
        "first_seen": iso(head.first_seen),
        "attempts": head.attempts,
        "waiting": head.waiting,
        "origin": head.origin,
        "fields": list(item_units.shown(head.units)),
    }


def shown(key_id: str, head: QuarantineHead, changes: Sequence[WaitingChange]) -> dict[str, Any]:
    """The document of `quarantine show --json`: the key, and the images of every change that waits."""
    images = [
        {"version": item.version, "old": item.change.old, "new": item.change.new, "created": item.change.created}
        for item in changes
    ]
    return {**described(key_id, head), "changes": images}
