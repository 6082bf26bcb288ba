"""The purger: it removes bare tombstones once no write can arrive any more that they would have to keep out.

It gets the tombstones that the guarded sink writes. A sweep over the v2 tables finds those that a restart, a full queue or a
repair left. ``core.rules.purge`` decides when a tombstone may be removed; this module gathers the facts, on this process's own
monotonic clock.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Protocol

import orjson

from service.control.leases import Lease
from service.control.repairs import RepairWatch
from service.control.state import load_state
from service.control.stores import Stores
from service.core.item.compare import equal
from service.core.item.stamp import is_bare_tombstone
from service.core.item.wire import Item
from service.core.item.write import Put
from service.core.rules.guarded import purge_write
from service.core.rules.purge import PurgeFacts, PurgeVerdict, may_purge
from service.core.shards import ROUNDS_TO_PASS
from service.errors import Retryable
from service.failpoints import failpoint
from service.tasks import task_group

QUEUE_TOMBSTONES = 50_000
"""Tombstones kept in memory, about 1 KB each. The sweep finds again what does not fit."""

SWEEP_PAGE_ITEMS = 500
SWEEP_PAUSE_SECONDS = 1.0
"""Between two pages of the sweep: about 60 read units a second for items of 1 KB, read eventually consistently."""

OVERDUE_SECONDS = 60.0
"""A tombstone that is so much older than grace and purge horizon together closes the gate: something prevents its purge."""


class PurgeTimes(Protocol):
    """The settings that purging depends on."""

    @property
    def purge_grace_seconds(self) -> float: ...

    @property
    def purge_sweep_seconds(self) -> float: ...

    @property
    def writer_horizon_seconds(self) -> float: ...

    @property
    def purge_horizon_seconds(self) -> float: ...

    @property
    def heartbeat_seconds(self) -> float: ...


@dataclass(frozen=True, slots=True)
class SeenTombstone:
    """A tombstone, and when this process first saw it."""

    table: str
    item: Item
    at: float
    """On this process's monotonic clock."""
    round: int
    """The engine's count of rounds then."""


@dataclass(frozen=True, slots=True)
class PurgeConditions:
    """The facts that are the same for all tombstones at one moment. Ages are in seconds; None as in ``PurgeFacts``."""

    now: float
    """On this process's monotonic clock."""
    rounds: int
    backfill_finished_age: float | None
    oldest_repair_age: float | None


class Purger:
    """Purges while this process holds the lease of the stream."""

    def __init__(
        self,
        stores: Stores,
        times: PurgeTimes,
        lease: Lease,
        *,
        rounds: Callable[[], int],
        count: Callable[[str], None],
        retried: Callable[[str], None],
    ) -> None:
        """``rounds`` returns ``EngineSnapshot.rounds``.

        ``count`` is called for each tombstone that was purged (``purged``), was something else by then (``changed``), or did
        not fit into the queue (``overflow``). ``retried`` is called with the reason why a purge or a sweep is postponed.
        """
        self._stores = stores
        self._clock = stores.clock
        self._times = times
        self._lease = lease
        self._rounds = rounds
        self._count = count
        self._retried = retried
        self._repairs = RepairWatch(stores.control, stores.clock, times.writer_horizon_seconds)
        self._key_names = {table: shape.key_names for table, shape in stores.mapping.tables.items()}
        self._queue: dict[bytes, SeenTombstone] = {}
        self._finished: tuple[float, float] | None = None

    def add(self, put: Put) -> None:
        """Remember a tombstone that has just been written. It replaces an earlier one of the same key."""
        self._remember(put.table, put.item)

    def overdue(self) -> int:
        """Tombstones that should have been purged long ago."""
        latest = self._clock.monotonic() - self._times.purge_grace_seconds - self._times.purge_horizon_seconds
        return sum(tombstone.at < latest - OVERDUE_SECONDS for tombstone in self._queue.values())

    async def run(self) -> None:
        """Purge at every heartbeat, and sweep every ``purge_sweep_seconds``, until cancelled. Raises Fenced, or another Fatal."""
        async with task_group() as tasks:
            tasks.create_task(self._repeat(self.sweep, self._times.purge_sweep_seconds))
            tasks.create_task(self._repeat(self.purge_due, self._times.heartbeat_seconds))

    async def _repeat(self, work: Callable[[], Awaitable[object]], seconds: float) -> None:
        while True:
            try:
                await work()
            except Retryable as failure:  # the next pass does what is left
                self._retried(failure.reason)
            await self._clock.sleep(seconds)

    async def purge_due(self) -> int:
        """Purge the tombstones that may be purged now; return how many were purged."""
        conditions = await self._read_conditions()
        purged = 0
        for name, tombstone in list(self._queue.items()):
            if self._verdict(tombstone, conditions).allowed:
                purged += await self._purge(tombstone)
                if self._queue.get(name) is tombstone:  # unless a newer tombstone has replaced it
                    del self._queue[name]
        return purged

    async def sweep(self) -> None:
        """Read the v2 tables page by page, and remember the bare tombstones that are not remembered yet."""
        for table in self._key_names:
            start: Item | None = None
            while True:
                page = await self._stores.store.scan(
                    table, segment=0, segments=1, start=start, limit=SWEEP_PAGE_ITEMS, consistent=False
                )
                for item in page.items:
                    if is_bare_tombstone(item, self._key_names[table], self._stores.mapping.stamp):
                        self._remember(table, item)
                start = page.last_key
                if start is None:
                    break
                await self._clock.sleep(SWEEP_PAUSE_SECONDS)

    def _remember(self, table: str, item: Item) -> None:
        name = orjson.dumps([table, *(item[key] for key in self._key_names[table])])
        known = self._queue.get(name)
        if known is not None and known.item == item:
            return
        if known is None and len(self._queue) >= QUEUE_TOMBSTONES:
            self._count("overflow")
            return
        self._queue[name] = SeenTombstone(table, item, self._clock.monotonic(), self._rounds())

    async def _read_conditions(self) -> PurgeConditions:
        finished_age = await self._backfill_finished_age()
        repair_age = await self._repairs.oldest_age()
        return PurgeConditions(self._clock.monotonic(), self._rounds(), finished_age, repair_age)

    async def _backfill_finished_age(self) -> float | None:
        """Seconds since this process first saw that the current run of the backfill has finished."""
        state = await load_state(self._stores.control, self._stores.mapping)
        finished_at = state.backfill_finished_at if state is not None else None
        now = self._clock.monotonic()
        if finished_at is None:
            self._finished = None
            return None
        if self._finished is None or self._finished[0] != finished_at:
            self._finished = (finished_at, now)
        return now - self._finished[1]

    def _verdict(self, tombstone: SeenTombstone, conditions: PurgeConditions) -> PurgeVerdict:
        facts = PurgeFacts(
            tombstone_age=conditions.now - tombstone.at,
            backfill_finished_age=conditions.backfill_finished_age,
            read_past=conditions.rounds >= tombstone.round + ROUNDS_TO_PASS,
            ownership_age=conditions.now - self._lease.held_since,
            oldest_repair_age=conditions.oldest_repair_age,
        )
        return may_purge(facts, horizon=self._times.purge_horizon_seconds, grace=self._times.purge_grace_seconds)

    async def _purge(self, tombstone: SeenTombstone) -> bool:
        written = await self._is_as_seen(tombstone) and await self._stores.store.write(
            purge_write(self._stores.mapping, tombstone.table, tombstone.item), fence=self._lease.check
        )
        failpoint("tombstone_purged")
        self._count("purged" if written else "changed")
        return written

    async def _is_as_seen(self, tombstone: SeenTombstone) -> bool:
        """Whether nothing was added to the tombstone since it was seen. The delete's condition cannot ask for that: it names only
        attributes that are known, and an application may add one under any name."""
        key = {name: tombstone.item[name] for name in self._key_names[tombstone.table]}
        now = await self._stores.store.get(tombstone.table, key)
        return now is not None and equal(now, tombstone.item)
