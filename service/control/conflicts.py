"""The conflict log in the control table.

It keeps, whole, each change of the old table that lost against v2 and each old item that a repair replaced. It also lists the
items that are held. A conflict is one head record, so that open conflicts can be counted and listed without their images, and
the images in chunks beside it.
"""

from dataclasses import asdict, replace
from functools import partial
from typing import Any, Literal

from pydantic import ConfigDict
from pydantic.dataclasses import dataclass

from service.clock import iso
from service.control.table import ControlTable, PackedPart, Records, Stored, packed, unpacked
from service.control.waiting_changes import WaitingChange
from service.core.item.change import Change
from service.core.item.wire import Item, plain_key
from service.core.item.write import Delete, Put
from service.errors import Misconfigured

Reason = Literal[
    "overlap", "deleted", "exists", "delete_refused", "two_live_keys", "unreadable", "redriven", "replaced"
]
"""exists: both sides created the item. delete_refused: the old side deleted what v2 had changed. unreadable: written only by
earlier versions. redriven: no change was lost, but a repair had v2 carried over an old item that differed from it. replaced: a
repair put the old item over a v2 item that differed from it; ``old`` is the old item that the v2 item stood for."""

Kept = Literal["old", "v2", "merge"]
OF_ONE_ITEM = 10
"""Conflicts read at once when those of one item are looked for."""
READ_FURTHER = 1000
"""Conflicts read at once where those of a page were resolved."""
FURTHER_READS = 10
"""For one page. Resolved conflicts are kept for a while, and may be many."""
MOST_CHUNKS = 8
"""Of the images of one conflict: four items of 400 KB that do not compress."""
STRICT = ConfigDict(extra="forbid")


@dataclass(frozen=True, slots=True, config=STRICT)
class Resolution:
    """How a conflict was resolved."""

    kept: Kept
    """Whose version was kept."""
    by: str
    at: float
    """Epoch seconds."""


@dataclass(frozen=True, slots=True, config=STRICT)
class ConflictHead:
    """A conflict without its images."""

    old_table: str
    key: Item
    """The old item's key."""
    entity: str
    reason: Reason
    fields: tuple[str, ...]
    """The fields that both sides changed."""
    version: str
    """The version of the change; "" if there was none."""
    at: float
    """Epoch seconds."""
    resolution: Resolution | None = None
    chunks: int | None = None
    """How many chunks have the images. None: all that there are."""


@dataclass(frozen=True, slots=True)
class Conflict:
    """A change that lost, with its images."""

    id: str
    old_table: str
    key: Item
    entity: str
    reason: Reason
    fields: tuple[str, ...]
    change: WaitingChange | None
    """The whole change. None: there was no change, but ``old`` was replaced (reasons ``redriven``, ``replaced``)."""
    v2: tuple[tuple[str, Item, Item | None], ...]
    """Each known v2 place: table, key, and the item there or None, stamps included."""
    at: float
    """Epoch seconds."""
    resolution: Resolution | None = None
    old: Item | None = None
    """The old item that a repair replaced."""

    @property
    def lost(self) -> Item | None:
        """The old item that lost, stamp included; None: a delete lost."""
        return self.change.change.new if self.change is not None else self.old


@dataclass(frozen=True, slots=True, config=STRICT)
class Held:
    """An old item with two live v2 places. Neither is carried until one of them is deleted."""

    old_table: str
    key: Item
    entity: str
    keys: tuple[tuple[str, Item], ...]
    """The live v2 places: table and key."""
    since: float
    """Epoch seconds."""


class Conflicts:
    """The conflict log in the control table."""

    def __init__(self, control: ControlTable) -> None:
        self._control = control
        self._heads = control.records("conflict", ConflictHead)
        self._held = control.records("held", Held)

    def puts(self, conflict: Conflict) -> list[Put]:
        """The writes that keep a conflict, for the transaction that decides it: a head, and chunks of at most 300 KB. They replace
        what an earlier decision about the same change has kept."""
        change = asdict(conflict.change) if conflict.change is not None else None
        parts = packed({"change": change, "v2": conflict.v2, "old": conflict.old})
        head = ConflictHead(
            conflict.old_table,
            conflict.key,
            conflict.entity,
            conflict.reason,
            conflict.fields,
            conflict.change.version if conflict.change is not None else "",
            conflict.at,
            chunks=len(parts),
        )
        chunks = self._chunks(conflict.id)
        puts = [
            self._heads.as_put(conflict.id, head, None)[0],
            *(chunks.as_put(_chunk_name(number), part, None)[0] for number, part in enumerate(parts)),
        ]
        return [replace(put, condition=None) for put in puts]

    def removals(self, conflict_id: str) -> list[Delete]:
        """The writes that take a conflict out of the log with its images, for the transaction that decides anew."""
        chunks = self._chunks(conflict_id)
        images = [chunks.as_removal(_chunk_name(number)) for number in range(MOST_CHUNKS)]
        return [self._heads.as_removal(conflict_id), *images]

    async def expire(self, before: float) -> int:
        """Delete every conflict that was resolved before this time (epoch seconds), with its images: these first, so that a kill in
        between leaves a head by which the rest is found. Returns how many."""
        expired = 0
        for conflict_id, stored in (await self._heads.all()).items():
            resolution = stored.value.resolution
            if resolution is not None and resolution.at < before:
                chunks = self._chunks(conflict_id)
                for name in await chunks.all():
                    await chunks.forget(name)
                expired += await self._heads.remove(conflict_id, stored)
        return expired

    async def heads(self) -> dict[str, ConflictHead]:
        """Every conflict by id, resolved ones too."""
        return {name: stored.value for name, stored in (await self._heads.all()).items()}

    async def after(self, name: str, limit: int) -> tuple[dict[str, ConflictHead], dict[str, Held]]:
        """The first ``limit`` conflicts, resolved ones too, and the first ``limit`` held items, after an id."""
        heads, held = await self._heads.after(name, limit), await self._held.after(name, limit)
        return (
            {name: stored.value for name, stored in heads.items()},
            {name: stored.value for name, stored in held.items()},
        )

    async def count_open(self) -> int:
        """How many conflicts are not resolved."""
        return sum(head.resolution is None for head in (await self.heads()).values())

    async def has_open(self, ledger_id: str) -> bool:
        """Whether a change of the old item of a ledger entry lost, and its conflict is not resolved.

        What a repair replaced does not count. The conflicts of an item have ids that begin with the name of its entry.
        """
        name = ledger_id
        while found := await self._heads.after(name, OF_ONE_ITEM):
            for name, stored in found.items():
                if not name.startswith(ledger_id):
                    return False
                if stored.value.resolution is None and stored.value.reason not in ("redriven", "replaced"):
                    return True
        return False

    async def head(self, conflict_id: str) -> Stored[ConflictHead]:
        """One head as it is stored. Raises Misconfigured when there is none."""
        stored = await self._heads.get(conflict_id)
        if stored is None:
            raise Misconfigured(f"no conflict has the id {conflict_id}", remedy="see `tablesplit conflicts list --all`")
        return stored

    async def load(self, conflict_id: str) -> Conflict:
        """A conflict with its images. Raises Misconfigured when there is none."""
        head = (await self.head(conflict_id)).value
        parts = [stored.value for stored in (await self._chunks(conflict_id).all()).values()]
        return unpacked(parts[: head.chunks], partial(_conflict, conflict_id, head), f"conflict {conflict_id}")

    def resolved_put(self, conflict_id: str, was: Stored[ConflictHead], resolution: Resolution) -> Put:
        """The write that marks a conflict as resolved, if its head still is as it ``was``."""
        return self._heads.as_put(conflict_id, replace(was.value, resolution=resolution), was)[0]

    async def held(self) -> dict[str, Held]:
        """Every held item, by the name of its ledger entry."""
        return {name: stored.value for name, stored in (await self._held.all()).items()}

    async def is_held(self, ledger_id: str) -> bool:
        """Whether the old item of a ledger entry is held."""
        return await self._held.get(ledger_id) is not None

    def held_put(self, ledger_id: str, held: Held) -> Put:
        """The write that records a held item, over any record of it."""
        return replace(self._held.as_put(ledger_id, held, None)[0], condition=None)

    def held_delete(self, ledger_id: str) -> Delete:
        """The write that removes the record of a held item."""
        return self._held.as_removal(ledger_id)

    def _chunks(self, conflict_id: str) -> Records[PackedPart]:
        return self._control.records(f"conflict#{conflict_id}", PackedPart)


def _conflict(conflict_id: str, head: ConflictHead, content: dict[str, Any]) -> Conflict:
    """From its head and the content of its chunks."""
    kept = content["change"]
    return Conflict(
        conflict_id,
        head.old_table,
        head.key,
        head.entity,
        head.reason,
        head.fields,
        WaitingChange(Change(**kept["change"]), kept["generation"]) if kept is not None else None,
        tuple((table, key, item) for table, key, item in content["v2"]),
        head.at,
        head.resolution,
        content["old"],
    )


def _chunk_name(number: int) -> str:
    return f"{number:03d}"


async def listing(conflicts: Conflicts, *, resolved: bool = False) -> dict[str, Any]:
    """The document of `conflicts list --json`, oldest first: open conflicts and held items.

    ``resolved``: resolved conflicts too.
    """
    heads, held = await conflicts.heads(), await conflicts.held()
    rows = [described(name, head) for name, head in heads.items() if resolved or head.resolution is None]
    rows += [described_held(name, item) for name, item in held.items()]
    return {"items": sorted(rows, key=lambda row: (row["at"], row["id"]))}


async def page(conflicts: Conflicts, after: str, limit: int) -> dict[str, Any]:
    """The document of /v1/conflicts: at most ``limit`` open conflicts and held items after the id ``after``, in the order of ids.

    ``next``: the id after which the list goes on, or None. A page before the last is shorter where FURTHER_READS do not suffice.
    """
    rows, onward = await _open_after(conflicts, after, limit)
    for _ in range(FURTHER_READS):
        if onward is None or len(rows) >= limit:
            break
        further, onward = await _open_after(conflicts, onward, READ_FURTHER)
        rows |= further
    shown = sorted(rows)[:limit]
    return {"items": [rows[name] for name in shown], "next": shown[-1] if len(rows) > limit else onward}


async def _open_after(conflicts: Conflicts, after: str, read: int) -> tuple[dict[str, dict[str, Any]], str | None]:
    """What is open among the first ``read`` conflicts and held items after an id; and up to which id that is all, None: the end."""
    heads, held = await conflicts.after(after, read)
    ends = [list(found)[-1] for found in (heads, held) if len(found) == read]
    rows = {name: described(name, head) for name, head in heads.items() if head.resolution is None}
    rows |= {name: described_held(name, item) for name, item in held.items()}
    end = min(ends, default=None)
    return {name: row for name, row in rows.items() if end is None or name <= end}, end


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
