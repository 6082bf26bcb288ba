"""Quarantine: the keys whose item cannot be mapped or written, with every change that waits for them.

One head record per key says what is wrong; behind it the changes wait, whole, in stream order. As long as the
head of a key is there, later changes of the key are put behind it in one transaction with the head, so that
none can slip past or be lost while an operator's retry takes the head away. A head that the backfill made
holds no change: the next change of its key replaces it.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from hashlib import blake2b
from typing import Any, Literal

import orjson
from pydantic import ConfigDict
from pydantic.dataclasses import dataclass

from service.clock import Clock, iso
from service.control.table import CHANGE_ATTEMPTS, ControlTable, Stored
from service.control.waiting_changes import WaitingChange, WaitingChanges
from service.core.item.wire import Item, plain_key
from service.dynamodb.protocol import Fence
from service.errors import Misconfigured, Poison, Retryable

PARTITION = "quarantine"


@dataclass(frozen=True, slots=True, config=ConfigDict(extra="forbid"))
class QuarantineHead:
    """A key in quarantine: of the old table or, under the ledger rule, of a v2 table.

    reason: a slug, message: the line for people. first_seen: epoch seconds. attempts: retries that failed.
    waiting: how many changes wait; last_version: the newest of them ("" for none). origin: who found it first
    to be bad.
    """

    table: str
    key: Item
    reason: str
    message: str
    first_seen: float
    origin: Literal["backfill", "stream"]
    attempts: int = 0
    waiting: int = 0
    last_version: str = ""


def quarantine_id(table: str, key: Item) -> str:
    """The id of an old key: 16 hex digits, always the same.

    Keys that shared an id would be replayed as one; of 10,000 keys in quarantine and 10 billion in the table, two
    share one in about 200,000 migrations.
    """
    return blake2b(orjson.dumps([table, key], option=orjson.OPT_SORT_KEYS), digest_size=8).hexdigest()


class Quarantine:
    """The quarantine in the control table."""

    def __init__(self, control: ControlTable, clock: Clock) -> None:
        self._control = control
        self._clock = clock
        self._heads = control.records(PARTITION, QuarantineHead)

    async def heads(self) -> dict[str, QuarantineHead]:
        """Every key in quarantine, by id."""
        return {key_id: stored.value for key_id, stored in (await self._heads.all()).items()}

    async def head(self, key_id: str) -> Stored[QuarantineHead]:
        """The head of an id. Raises Misconfigured when nothing has it."""
        found = await self._heads.get(key_id)
        if found is None:
            raise Misconfigured(f"nothing in quarantine has the id {key_id}", remedy="see `tablesplit quarantine list`")
        return found

    async def holds(self, table: str, key: Item) -> bool:
        """Whether an old key is in quarantine."""
        return await self._heads.get(quarantine_id(table, key)) is not None

    async def changes(self, key_id: str) -> list[WaitingChange]:
        """The changes that wait under an id, oldest first."""
        return await self._waiting(key_id).load()

    async def add_copy(self, table: str, key: Item, poison: Poison) -> None:
        """Note that the backfill cannot copy the item at ``key``. A head that is there already stays."""
        head = QuarantineHead(table, key, poison.reason, poison.message, self._clock.now(), "backfill")
        await self._heads.put(quarantine_id(table, key), head, None)

    async def add_change(self, waiting: WaitingChange, poison: Poison, fence: Fence | None = None) -> None:
        """Quarantine a change that cannot be applied, behind whatever waits for its key."""
        await self._append(waiting, poison, fence)

    async def wait_behind(self, waiting: WaitingChange, fence: Fence | None = None) -> bool:
        """Put a change behind those of its key. False: none waits (any more), the change is to be applied."""
        return await self._append(waiting, None, fence)

    async def resolve_copy(self, table: str, key: Item) -> None:
        """Take away the backfill's head of ``key``: a change has been applied since, and says what the item
        is now."""
        key_id = quarantine_id(table, key)
        found = await self._heads.get(key_id)
        if found is not None and found.value.origin == "backfill":
            await self._heads.remove(key_id, found)

    async def resolve(self, table: str, key: Item) -> None:
        """Take a key out with all that it holds: what it holds is not needed any more."""
        key_id = quarantine_id(table, key)
        while (found := await self._heads.get(key_id)) is not None:
            await self.settle(key_id, found)

    async def settle(self, key_id: str, was: Stored[QuarantineHead]) -> bool:
        """Take away the changes up to those of ``was``, and its head unless more has come; False: it has."""
        await self._waiting(key_id).forget(was.value.last_version)
        return await self._heads.remove(key_id, was)

    async def forget(self, key_id: str, upto: str) -> None:
        """Take away the changes up to a version: they are applied."""
        await self._waiting(key_id).forget(upto)

    async def note_failure(self, key_id: str, poison: Poison) -> None:
        """Count a retry that failed, with what is wrong now, and what still waits."""
        stored = None
        while stored is None:  # again, when a change has come in between
            was = await self.head(key_id)
            waiting, attempts = len(await self.changes(key_id)), was.value.attempts + 1
            head = replace(was.value, attempts=attempts, reason=poison.reason, message=poison.message, waiting=waiting)
            stored = await self._heads.put(key_id, head, was)

    async def _append(self, waiting: WaitingChange, poison: Poison | None, fence: Fence | None) -> bool:
        change = waiting.change
        key_id = quarantine_id(change.table, change.key)
        for _ in range(CHANGE_ATTEMPTS):
            was = await self._heads.get(key_id)
            if poison is None and (was is None or was.value.origin == "backfill"):
                return False
            if was is not None and waiting.version <= was.value.last_version:
                return True  # a replay: it waits already
            head = self._with(was.value if was else None, waiting, poison)
            writes = [self._heads.as_put(key_id, head, was)[0], *self._waiting(key_id).puts(waiting)]
            if await self._control.store.transact(writes, fence=fence):
                return True
        raise Retryable(f"quarantine {key_id} is contended", reason="control_contended")

    def _with(self, was: QuarantineHead | None, waiting: WaitingChange, poison: Poison | None) -> QuarantineHead:
        if was is None:
            assert poison is not None
            change = waiting.change
            was = QuarantineHead(change.table, change.key, poison.reason, poison.message, self._clock.now(), "stream")
        return replace(was, origin="stream", waiting=was.waiting + 1, last_version=waiting.version)

    def _waiting(self, key_id: str) -> WaitingChanges:
        return WaitingChanges(self._control, key_id)


def listing(heads: dict[str, QuarantineHead]) -> dict[str, Any]:
    """The document of `quarantine list --json` and /v1/quarantine, oldest first."""
    ordered = sorted(heads.items(), key=lambda one: (one[1].first_seen, one[0]))
    return {"items": [described(key_id, head) for key_id, head in ordered]}


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
    }


def shown(key_id: str, head: QuarantineHead, changes: Sequence[WaitingChange]) -> dict[str, Any]:
    """The document of `quarantine show --json`: the key, and the images of every change that waits."""
    images = [
        {"version": one.version, "old": one.change.old, "new": one.change.new, "created": one.change.created}
        for one in changes
    ]
    return {**described(key_id, head), "changes": images}


REFRESH_SECONDS = 30.0
"""How often the list of keys in quarantine is read again. Only what the backfill finds meanwhile is learned
late, and that blocks nothing."""


class QuarantineCache:
    """The keys in quarantine as of the last refresh, with those that this process has added and less those it has resolved.

    taken_over: how many shards this process has taken over by now, where they come one by one. What a shard's former owner has put
    into quarantine must be known before its next change is applied.
    """

    def __init__(self, quarantine: Quarantine, clock: Clock, taken_over: Callable[[], int] = lambda: 0) -> None:
        self._quarantine = quarantine
        self._clock = clock
        self._taken_over = taken_over
        self._refreshed_for = 0
        self._ids: set[str] = set()
        self._refreshed_at = float("-inf")

    async def refresh(self) -> None:
        """Read the list, if it is time, or if a shard has been taken over since.

        First before the first change, after the engine has loaded its positions: whatever a former owner checkpointed as
        quarantined is in quarantine by then.
        """
        taken_over = self._taken_over()
        if taken_over != self._refreshed_for or self._clock.monotonic() >= self._refreshed_at + REFRESH_SECONDS:
            self._ids |= (await self._quarantine.heads()).keys()
            self._refreshed_at, self._refreshed_for = self._clock.monotonic(), taken_over

    def include(self, table: str, key: Item) -> bool:
        """Whether a key may be in quarantine."""
        return bool(self._ids) and quarantine_id(table, key) in self._ids

    def add(self, table: str, key: Item) -> None:
        """A key has been put into quarantine."""
        self._ids.add(quarantine_id(table, key))

    def discard(self, table: str, key: Item) -> None:
        """A key has left quarantine."""
        self._ids.discard(quarantine_id(table, key))
