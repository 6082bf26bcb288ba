"""The conflict log in the control table.

It keeps, whole, each change of the old table that lost against v2 and each old item that a repair replaced. It also lists the
items that are held. A conflict is one head record, so that conflicts are listed without their images, and the images in chunks
beside it.
"""

from collections.abc import Awaitable, Callable
from dataclasses import asdict, replace
from functools import partial
from typing import Any, Literal, TypeVar

from pydantic import ConfigDict
from pydantic.dataclasses import dataclass

from service.control.counts import Count
from service.control.short_ids import id_that_begins_with
from service.control.table import (
    CHANGE_ATTEMPTS,
    ControlTable,
    PackedPart,
    Records,
    Stored,
    contended,
    packed,
    unpacked,
)
from service.control.waiting_changes import WaitingChange
from service.core.item.change import Change
from service.core.item.wire import Item
from service.core.item.write import TransactItem
from service.dynamodb.protocol import Fence
from service.errors import Misconfigured

T = TypeVar("T")

Reason = Literal[
    "overlap", "deleted", "exists", "delete_refused", "two_live_keys", "unreadable", "redriven", "replaced"
]
"""exists: both sides created the item. delete_refused: the old side deleted what v2 had changed. unreadable: written only by
earlier versions. redriven: no change was lost, but a repair had v2 carried over an old item that differed from it. replaced: a
repair put the old item over a v2 item that differed from it; ``old`` is the old item that the v2 item stood for."""

Kept = Literal["old", "v2", "merge"]
OF_ONE_ITEM = 10
"""Conflicts read at once when those of one item are looked for."""
MOST_CHUNKS = 8
"""Of the images of one conflict: four items of 400 KB that do not compress."""
STRICT = ConfigDict(extra="forbid", defer_build=True)


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


@dataclass(frozen=True, slots=True, config=ConfigDict(defer_build=True))
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
    """The conflict log in the control table. Open conflicts and resolved ones are kept apart, and the open ones are counted."""

    def __init__(self, control: ControlTable) -> None:
        self._control = control
        self._open = control.records("conflict", ConflictHead)
        self._resolved = control.records("conflict_resolved", ConflictHead)
        self._held = control.records("held", Held)
        self._open_count = Count(control, self._open, "conflict", digits=2)
        self._held_count = Count(control, self._held, "held")

    async def puts(self, conflict: Conflict) -> list[TransactItem]:
        """The writes that keep a conflict, for the transaction that decides it: a head, and chunks of at most 300 KB. They replace
        what an earlier decision about the same change has kept. They are refused when the log has changed: then ask again."""
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
        was, chunks = await self._open.get(conflict.id), self._chunks(conflict.id)
        return [
            self._open.as_put(conflict.id, head, was)[0],
            self._resolved.as_removal(conflict.id),
            *([await self._open_count.shift(conflict.id, 1)] if was is None else []),
            *(replace(chunks.as_put(_chunk_name(n), part, None)[0], condition=None) for n, part in enumerate(parts)),
        ]

    async def removals(self, conflict_id: str) -> list[TransactItem]:
        """The writes that take a conflict out of the log with its images, for the transaction that decides anew. They are refused
        when the log has changed: then ask again."""
        was, chunks = await self._open.get(conflict_id), self._chunks(conflict_id)
        opened: list[TransactItem] = []
        if was is not None:
            opened = [self._open.as_delete(conflict_id, was), await self._open_count.shift(conflict_id, -1)]
        images = [chunks.as_removal(_chunk_name(number)) for number in range(MOST_CHUNKS)]
        return [*opened, self._resolved.as_removal(conflict_id), *images]

    async def keep(self, conflict: Conflict, fence: Fence | None = None) -> None:
        """Keep a conflict, where no transaction decides it."""
        await self._transact(conflict.id, partial(self.puts, conflict), fence)

    async def take_out(self, conflict_id: str, fence: Fence | None = None) -> None:
        """Take a conflict out of the log with its images."""
        await self._transact(conflict_id, partial(self.removals, conflict_id), fence)

    async def resolve(self, conflict_id: str, was: Stored[ConflictHead], resolution: Resolution) -> bool:
        """Mark a conflict as resolved. False: its head is no longer as it ``was``."""
        put, resolved = self._resolved.as_put(conflict_id, replace(was.value, resolution=resolution), None)
        for _ in range(CHANGE_ATTEMPTS):
            count = await self._open_count.shift(conflict_id, -1)
            if await self._control.store.transact([self._open.as_delete(conflict_id, was), put, count]):
                return True
            now = await self._open.get(conflict_id)
            if now is None or now.rev != was.rev:
                stored = await self._resolved.get(conflict_id)  # after a lost answer the write may have been made
                return stored is not None and stored.rev == resolved.rev
        raise contended(f"conflict {conflict_id}")

    async def expire(self, before: float) -> int:
        """Delete every conflict that was resolved before this time (epoch seconds), with its images: these first, so that a kill in
        between leaves a head by which the rest is found. Returns how many."""
        await self._adopt_former()
        expired = 0
        for conflict_id, stored in (await self._resolved.all()).items():
            resolution = stored.value.resolution
            if resolution is not None and resolution.at < before:
                chunks = self._chunks(conflict_id)
                for name in await chunks.all():
                    await chunks.forget(name)
                expired += await self._resolved.remove(conflict_id, stored)
        return expired

    async def _adopt_former(self) -> None:
        """An earlier version left resolved conflicts among the open ones, and counted nothing."""
        await self._open_count.correct()
        await self._held_count.correct()
        for conflict_id, stored in (await self._open.all()).items():
            if (resolution := stored.value.resolution) is not None:
                await self.resolve(conflict_id, stored, resolution)

    async def open_heads(self) -> dict[str, ConflictHead]:
        """Every open conflict by id."""
        heads = _values(await self._open.all())
        return {name: head for name, head in heads.items() if head.resolution is None}

    async def heads(self) -> dict[str, ConflictHead]:
        """Every conflict by id, resolved ones too."""
        return _values(await self._resolved.all()) | _values(await self._open.all())

    async def after(self, name: str, limit: int) -> tuple[dict[str, ConflictHead], dict[str, Held]]:
        """The first ``limit`` open conflicts, and the first ``limit`` held items, after an id. Among the conflicts may be resolved
        ones that an earlier version left there."""
        return _values(await self._open.after(name, limit)), _values(await self._held.after(name, limit))

    async def count_open(self) -> int:
        """How many conflicts are not resolved, and items held. They are counted where they come and go: nothing is listed."""
        return await self._open_count.total() + await self._held_count.total()

    async def has_open(self, ledger_id: str) -> bool:
        """Whether a change of the old item of a ledger entry lost, and its conflict is not resolved.

        What a repair replaced does not count. The conflicts of an item have ids that begin with the name of its entry.
        """
        name = ledger_id
        while found := await self._open.after(name, OF_ONE_ITEM):
            for name, stored in found.items():
                if not name.startswith(ledger_id):
                    return False
                if stored.value.resolution is None and stored.value.reason not in ("redriven", "replaced"):
                    return True
        return False

    async def head(self, conflict_id: str) -> Stored[ConflictHead]:
        """One head as it is stored. Raises Misconfigured when there is none."""
        stored = await self._open.get(conflict_id) or await self._resolved.get(conflict_id)
        if stored is None:
            raise _no_conflict(conflict_id)
        return stored

    async def named(self, prefix: str) -> str:
        """The id that begins with ``prefix``, of a conflict or a held item. Raises Misconfigured when none does, or several do."""
        if await self._open.get(prefix) or await self._resolved.get(prefix) or await self._held.get(prefix):
            return prefix
        return id_that_begins_with(prefix, [*await self.heads(), *await self.held()], _no_conflict(prefix))

    async def load(self, conflict_id: str) -> Conflict:
        """A conflict with its images. Raises Misconfigured when there is none."""
        head = (await self.head(conflict_id)).value
        parts = [stored.value for stored in (await self._chunks(conflict_id).all()).values()]
        return unpacked(parts[: head.chunks], partial(_conflict, conflict_id, head), f"conflict {conflict_id}")

    async def held(self) -> dict[str, Held]:
        """Every held item, by the name of its ledger entry."""
        return _values(await self._held.all())

    async def held_item(self, ledger_id: str) -> Held | None:
        """The old item of a ledger entry, if it is held."""
        stored = await self._held.get(ledger_id)
        return None if stored is None else stored.value

    async def held_puts(self, ledger_id: str, held: Held) -> list[TransactItem]:
        """The writes that record a held item, over any record of it. They are refused when the record has changed."""
        was = await self._held.get(ledger_id)
        count = [await self._held_count.shift(ledger_id, 1)] if was is None else []
        return [self._held.as_put(ledger_id, held, was)[0], *count]

    async def held_removals(self, ledger_id: str) -> list[TransactItem]:
        """The writes that remove the record of a held item, if there is one. They are refused when the record has changed."""
        was = await self._held.get(ledger_id)
        return (
            [] if was is None else [self._held.as_delete(ledger_id, was), await self._held_count.shift(ledger_id, -1)]
        )

    async def _transact(
        self, conflict_id: str, writes: Callable[[], Awaitable[list[TransactItem]]], fence: Fence | None
    ) -> None:
        for _ in range(CHANGE_ATTEMPTS):
            if await self._control.store.transact(await writes(), fence=fence):
                return
        raise contended(f"conflict {conflict_id}")

    def _chunks(self, conflict_id: str) -> Records[PackedPart]:
        return self._control.records(f"conflict#{conflict_id}", PackedPart)


def _no_conflict(conflict_id: str) -> Misconfigured:
    return Misconfigured(f"no conflict has the id {conflict_id}", remedy="see `tablesplit conflicts list --all`")


def _values(found: dict[str, Stored[T]]) -> dict[str, T]:
    return {name: stored.value for name, stored in found.items()}


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
