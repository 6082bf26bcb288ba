"""Quarantine: the keys whose item cannot be mapped or written, with every change that waits for them.

One head record per key says what is wrong; the changes wait behind it, whole, in stream order. As long as the head of a key
exists, later changes of the key are added behind it in one transaction with the head. So no change can slip past or be lost
while an operator's retry removes the head. Under the ledger rule the head names the units that wait, and only changes of which
such a unit cannot be written are added. A head that the backfill made has no change behind it: the next change of its key
replaces it.
"""

from collections.abc import Iterable, Sequence
from dataclasses import field, replace
from hashlib import blake2b
from typing import Literal

import orjson
from pydantic import ConfigDict
from pydantic.dataclasses import dataclass

from service.clock import Clock
from service.control.counts import Count
from service.control.short_ids import id_that_begins_with
from service.control.table import CHANGE_ATTEMPTS, ControlTable, Stored, contended
from service.control.waiting_changes import WaitingChange, WaitingChanges
from service.core.item.wire import Item, plain_key
from service.core.item.write import TransactItem
from service.dynamodb.protocol import Fence
from service.errors import Misconfigured, Poison
from service.failpoints import failpoint
from service.log import RepeatLimit, get_logger

PARTITION = "quarantine"


class NotInQuarantine(Misconfigured):
    """No key in quarantine has this id: it never had, or the key has left."""


@dataclass(frozen=True, slots=True, config=ConfigDict(extra="forbid", defer_build=True))
class QuarantineHead:
    """A key in quarantine: of the old table or, under the ledger rule, of a v2 table."""

    table: str
    key: Item
    reason: str
    """A slug."""
    message: str
    """The line for people."""
    first_seen: float
    """Epoch seconds."""
    origin: Literal["backfill", "stream"]
    """Which part of tablesplit first found the item to be bad."""
    attempts: int = 0
    """How many retries failed."""
    waiting: int = 0
    """How many changes wait."""
    last_version: str = ""
    """The version of the newest change that waits; "" for none."""
    units: tuple[str, ...] = ()
    """Under the ledger rule, the units that wait, as the ledger remembers them. Empty: the whole item."""
    since: dict[str, str] = field(default_factory=dict)
    """By unit, the version after which the changes that wait with it count: what it waited for before is done."""
    newest: dict[str, str] = field(default_factory=dict)
    """By unit, the version of the newest change that waits with it."""


def quarantine_id(table: str, key: Item) -> str:
    """The id of a key: 16 hex digits, always the same for the same key.

    Two keys with the same id would be replayed as one. With 10,000 keys in quarantine and 10 billion in the table, that happens
    in one of about 200,000 migrations.
    """
    return blake2b(orjson.dumps([table, key], option=orjson.OPT_SORT_KEYS), digest_size=8).hexdigest()


class Quarantine:
    """The quarantine in the control table."""

    def __init__(self, control: ControlTable, clock: Clock) -> None:
        self._control = control
        self._clock = clock
        self._heads = control.records(PARTITION, QuarantineHead)
        self._count = Count(control, self._heads, PARTITION)
        self._repeats = RepeatLimit()
        """When a line was last said, by table and reason; on the monotonic clock."""

    async def count(self) -> int:
        """How many keys are in quarantine. It is counted where keys come and go: nothing is listed."""
        return await self._count.total()

    async def ids(self) -> set[str]:
        """The id of every key in quarantine. The count is corrected by it, where an earlier version has not counted."""
        return await self._count.correct()

    async def page(self, after: str, limit: int) -> dict[str, QuarantineHead]:
        """The first ``limit`` keys after the id ``after`` ("": from the first on), by id, in the order of the ids."""
        return {key_id: stored.value for key_id, stored in (await self._heads.after(after, limit)).items()}

    async def heads(self) -> dict[str, QuarantineHead]:
        """Every key in quarantine, by id."""
        return {key_id: stored.value for key_id, stored in (await self._heads.all()).items()}

    async def heads_of(self, key_ids: Iterable[str]) -> dict[str, QuarantineHead]:
        """The heads of those ``key_ids`` that are in quarantine, by id."""
        found = {key_id: await self._heads.get(key_id) for key_id in key_ids}
        return {key_id: stored.value for key_id, stored in found.items() if stored is not None}

    async def head(self, key_id: str) -> Stored[QuarantineHead]:
        """The head of an id. Raises NotInQuarantine when there is none."""
        stored = await self._heads.get(key_id)
        if stored is None:
            raise _not_in_quarantine(key_id)
        return stored

    async def named(self, prefix: str) -> str:
        """The id of a key in quarantine that begins with ``prefix``. Raises NotInQuarantine when there is none, Misconfigured when
        there are several."""
        if await self._heads.get(prefix) is not None:
            return prefix
        return id_that_begins_with(prefix, await self.ids(), _not_in_quarantine(prefix))

    async def holds(self, table: str, key: Item) -> bool:
        """Whether a key is in quarantine."""
        return await self._heads.get(quarantine_id(table, key)) is not None

    async def changes(self, key_id: str) -> list[WaitingChange]:
        """The changes that wait under an id, oldest first."""
        return await self._waiting(key_id).load()

    async def add_copy(self, table: str, key: Item, poison: Poison) -> None:
        """Record that the backfill cannot copy the item at ``key``. A head that exists already stays."""
        head = QuarantineHead(table, key, poison.reason, poison.message, self._clock.now(), "backfill")
        key_id = quarantine_id(table, key)
        for _ in range(CHANGE_ATTEMPTS):
            if await self._heads.get(key_id) is not None:
                return
            writes = [self._heads.as_put(key_id, head, None)[0], await self._count.shift(key_id, 1)]
            if await self._control.store.transact(writes):
                return
        raise contended(f"quarantine {key_id}")

    async def add_change(
        self, waiting: WaitingChange, poison: Poison, fence: Fence | None = None, units: Sequence[str] = ()
    ) -> None:
        """Quarantine a change that cannot be applied, behind the changes that wait for its key already. ``units``: those of the
        change that wait, beside those that wait already; empty: the whole item."""
        await self._append(waiting, poison, fence, units)

    async def add_copied(
        self, key_id: str, was: Stored[QuarantineHead], create: WaitingChange, fence: Fence | None = None
    ) -> bool:
        """Let the item of which the backfill made no copy wait as a create. False: the head is not as ``was`` any more."""
        head = self._with(was.value, create, None, ())
        writes = [self._heads.as_put(key_id, head, was)[0], *self._waiting(key_id).puts(create)]
        return await self._control.store.transact(writes, fence=fence)

    async def heal(self, table: str, key: Item, units: Sequence[str], upto: str, waiting: Sequence[str] = ()) -> bool:
        """Take units out of quarantine, as far as the changes up to the version ``upto`` say; the key leaves it with its last
        unit. Returns whether it has left. An empty name stands for the whole item, of which the units ``waiting`` still wait."""
        key_id = quarantine_id(table, key)
        while (stored := await self._heads.get(key_id)) is not None:
            head = stored.value
            if not head.units and "" in units and head.last_version > upto:  # a later change waits with the whole item
                await self._waiting(key_id).forget(upto)
                return False
            after = _without(head, units, upto, waiting)
            if after.units or (not head.units and "" not in units):
                if after == head or await self._heads.put(key_id, after, stored):
                    return False
            elif await self.remove_up_to(key_id, stored):
                return True
        return True

    async def wait_behind(self, waiting: WaitingChange, fence: Fence | None = None) -> bool:
        """Add a change behind those of its key. False: none waits, or none waits any more, so the change is to be applied."""
        return await self._append(waiting, None, fence)

    async def resolve_copy(self, table: str, key: Item) -> bool:
        """Remove the backfill's head of ``key``: a change that was applied since then has replaced the item. Returns whether there
        was one."""
        key_id = quarantine_id(table, key)
        stored = await self._heads.get(key_id)
        return stored is not None and stored.value.origin == "backfill" and await self._remove(key_id, stored)

    async def resolve(self, table: str, key: Item) -> None:
        """Remove a key with all changes that wait for it: they are not needed any more."""
        key_id = quarantine_id(table, key)
        while (stored := await self._heads.get(key_id)) is not None:
            await self.remove_up_to(key_id, stored)

    async def remove_up_to(self, key_id: str, was: Stored[QuarantineHead]) -> bool:
        """Remove the changes up to those that ``was`` knows of, and the head too unless more have come. False: more have come."""
        await self._waiting(key_id).forget(was.value.last_version)
        return await self._remove(key_id, was)

    async def _remove(self, key_id: str, was: Stored[QuarantineHead]) -> bool:
        for _ in range(CHANGE_ATTEMPTS):
            writes: list[TransactItem] = [self._heads.as_delete(key_id, was), await self._count.shift(key_id, -1)]
            if await self._control.store.transact(writes):
                failpoint("quarantine_removed")
                return True
            now = await self._heads.get(key_id)
            if now is None or now.rev != was.rev:
                return False
        raise contended(f"quarantine {key_id}")

    async def forget(self, key_id: str, upto: str) -> None:
        """Remove the changes up to a version: they are applied."""
        await self._waiting(key_id).forget(upto)

    async def note_failure(self, key_id: str, poison: Poison, *, repeated: bool = False) -> None:
        """Count a retry that failed, and record what is wrong now and how many changes still wait. ``repeated``: not if the same
        was wrong before."""
        stored = None
        while stored is None:  # again, when a change has come in between
            was = await self.head(key_id)
            if repeated and (poison.reason, poison.message) == (was.value.reason, was.value.message):
                return
            waiting, attempts = len(await self.changes(key_id)), was.value.attempts + 1
            head = replace(was.value, attempts=attempts, reason=poison.reason, message=poison.message, waiting=waiting)
            stored = await self._heads.put(key_id, head, was)

    async def _append(
        self, waiting: WaitingChange, poison: Poison | None, fence: Fence | None, units: Sequence[str] = ()
    ) -> bool:
        change = waiting.change
        key_id = quarantine_id(change.table, change.key)
        for _ in range(CHANGE_ATTEMPTS):
            was = await self._heads.get(key_id)
            if poison is None and (was is None or was.value.origin == "backfill"):
                return False
            if was is not None and waiting.version <= was.value.last_version:  # a replay: it waits already
                if poison is None or await self._widened(key_id, was, units, waiting.version):
                    return True
                continue
            head = self._with(was.value if was else None, waiting, poison, units)
            writes = [self._heads.as_put(key_id, head, was)[0], *self._waiting(key_id).puts(waiting)]
            if was is None:
                writes.append(await self._count.shift(key_id, 1))
            failpoint("quarantine_due")
            if await self._control.store.transact(writes, fence=fence):
                failpoint("quarantine_added")
                if was is None:
                    self._say_added(head)
                return True
        raise contended(f"quarantine {key_id}")

    def _say_added(self, head: QuarantineHead) -> None:
        """A line for the first key of each reason in a minute; quarantine and the gate count them all."""
        get_logger().debug("in quarantine", table=head.table, key=plain_key(head.key), reason=head.reason)
        if self._repeats.passes((head.table, head.reason), self._clock.monotonic()):
            get_logger().warning(
                "a change cannot be applied: its key waits in quarantine",
                table=head.table,
                reason=head.reason,
                remedy="see: tablesplit quarantine list",
            )

    def _with(
        self, was: QuarantineHead | None, waiting: WaitingChange, poison: Poison | None, units: Sequence[str]
    ) -> QuarantineHead:
        if was is None:
            assert poison is not None
            change = waiting.change
            now = self._clock.now()
            was = QuarantineHead(
                change.table, change.key, poison.reason, poison.message, now, "stream", units=tuple(units)
            )
        was = _named(was, units, waiting.version, was.last_version)
        return replace(was, origin="stream", waiting=was.waiting + 1, last_version=waiting.version)

    async def _widened(self, key_id: str, was: Stored[QuarantineHead], units: Sequence[str], version: str) -> bool:
        """Let more units of a change wait that waits already. False: the head has changed."""
        head = _named(was.value, units, version, "")
        return head == was.value or await self._heads.put(key_id, head, was) is not None

    def _waiting(self, key_id: str) -> WaitingChanges:
        return WaitingChanges(self._control, key_id)


def _not_in_quarantine(key_id: str) -> NotInQuarantine:
    return NotInQuarantine(f"nothing in quarantine has the id {key_id}", remedy="see `tablesplit quarantine list`")


def _named(head: QuarantineHead, units: Sequence[str], version: str, before: str) -> QuarantineHead:
    """The head with further units of the change ``version``; none for the whole item. ``before``: the changes up to this version do
    not count for a unit that has not waited until now."""
    if not head.units or not units:
        return replace(head, units=(), since={}, newest={})
    since = {unit: before for unit in units if unit not in head.units} | head.since
    newest = head.newest | {unit: max(version, head.newest.get(unit, "")) for unit in units}
    return replace(head, units=tuple(sorted({*head.units, *units})), since=since, newest=newest)


def _without(head: QuarantineHead, units: Sequence[str], upto: str, waiting: Sequence[str]) -> QuarantineHead:
    """The head without ``units``, of which the changes up to ``upto`` are done; of the whole item ``waiting`` still wait."""
    later = {unit for unit in units if head.newest.get(unit, "") > upto}
    left = tuple(unit for unit in head.units or waiting if unit not in units or unit in later)
    since = {unit: version for unit, version in head.since.items() if unit in left} | dict.fromkeys(later, upto)
    newest = {unit: version for unit, version in head.newest.items() if unit in left}
    return replace(head, units=left, since=since, newest=newest)
