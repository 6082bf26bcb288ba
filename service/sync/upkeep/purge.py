"""The purger: removes bare tombstones once nothing can arrive any more that they would have to keep out.

It is fed with the tombstones that the consumer writes, and a sweep over the v2 tables finds those that a
restart, a full queue or a repair left. When one may go is decided by ``core.purge``; here the facts are
gathered, on this process's own monotonic clock.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Protocol

import orjson

from service.control.leases import Lease
from service.control.repairs import RepairWatch
from service.control.state import load_state
from service.control.stores import Stores
from service.core.item.wire import Item
from service.core.item.write import Put
from service.core.rules.guarded import is_bare_tombstone, purge_write
from service.core.rules.purge import PurgeFacts, PurgeVerdict, may_purge
from service.core.shards import ROUNDS_TO_PASS
from service.errors import Poison, Retryable
from service.tasks import task_group

QUEUE_TOMBSTONES = 50_000
"""Tombstones kept in memory, about 1 KB each; the sweep finds again what does not fit."""

SWEEP_PAGE_ITEMS = 500
SWEEP_PAUSE_SECONDS = 1.0
"""Between two pages of the sweep: about 60 read units a second for items of 1 KB, read eventually
consistently."""


OVERDUE_SECONDS = 60.0
"""A tombstone that is so much older than grace and writer horizon together keeps a gate closed: something holds it back."""


class PurgeTimes(Protocol):
    """The settings that purging depends on."""

    @property
    def purge_grace_seconds(self) -> float: ...

    @property
    def purge_sweep_seconds(self) -> float: ...

    @property
    def writer_horizon_seconds(self) -> float: ...

    @property
    def heartbeat_seconds(self) -> float: ...


@dataclass(frozen=True, slots=True)
class Seen:
    """A tombstone, and when this process first saw it: on its monotonic clock, and in the engine's rounds."""

    table: str
    item: Item
    at: float
    round: int


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What holds for all tombstones alike at one look. Ages in seconds, None as in ``PurgeFacts``."""

    now: float
    rounds: int
    backfill_finished_age: float | None
    oldest_repair_age: float | None


class Purger:
    """Purges while this process holds the lease of the stream. ``rounds`` gives ``EngineSnapshot.rounds``;
    ``count`` is told each tombstone purged (``purged``), found to be something else by now (``changed``), or
    dropped for want of room (``overflow``); ``retried`` the reason why a look is put off."""

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
        self._stores = stores
        self._clock = stores.clock
        self._times = times
        self._lease = lease
        self._rounds = rounds
        self._count = count
        self._retried = retried
        self._repairs = RepairWatch(stores.control, stores.clock, times.writer_horizon_seconds)
        self._key_names = {table: shape.key_names for table, shape in stores.mapping.tables.items()}
        self._queue: dict[bytes, Seen] = {}
        self._finished: tuple[float, float] | None = None

    def add(self, put: Put) -> None:
        """Remember a tombstone that has just been written. One for the same key that was remembered before is
        no more."""
        self._remember(put.table, put.item)

    def overdue(self) -> int:
        """Tombstones that are there long after they might have been purged."""
        latest = self._clock.monotonic() - self._times.purge_grace_seconds - self._times.writer_horizon_seconds
        return sum(seen.at < latest - OVERDUE_SECONDS for seen in self._queue.values())

    async def run(self) -> None:
        """Look at every heartbeat, and sweep every ``purge_sweep_seconds``, until cancelled. Raises Fenced,
        or another Fatal."""
        async with task_group() as tasks:
            tasks.create_task(self._repeat(self.sweep, self._times.purge_sweep_seconds))
            tasks.create_task(self._repeat(self.look, self._times.heartbeat_seconds))

    async def _repeat(self, work: Callable[[], Awaitable[object]], seconds: float) -> None:
        while True:
            try:
                await work()
            except Retryable as passing:  # what was left undone is done the next time
                self._retried(passing.reason)
            await self._clock.sleep(seconds)

    async def look(self) -> int:
        """Purge what may go now; returns how many were purged."""
        around = await self._look_around()
        purged = 0
        for name, seen in list(self._queue.items()):
            if self._verdict(seen, around).allowed:
                purged += await self._purge(seen)
                if self._queue.get(name) is seen:  # and not a newer tombstone
                    del self._queue[name]
        return purged

    async def sweep(self) -> None:
        """Walk the v2 tables page by page, and remember the bare tombstones that are not remembered yet."""
        for table in self._key_names:
            start: Item | None = None
            while True:
                page = await self._stores.store.scan(
                    table, segment=0, segments=1, start=start, limit=SWEEP_PAGE_ITEMS, consistent=False
                )
                for item in page.items:
                    if self._is_tombstone(table, item):
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
        self._queue[name] = Seen(table, item, self._clock.monotonic(), self._rounds())

    def _is_tombstone(self, table: str, item: Item) -> bool:
        try:
            return is_bare_tombstone(self._stores.mapping, table, item)
        except Poison:
            return False  # an item with a damaged stamp: `validate` reports it

    async def _look_around(self) -> Surroundings:
        finished_age = await self._backfill_finished_age()
        repair_age = await self._repairs.oldest_age()
        return Surroundings(self._clock.monotonic(), self._rounds(), finished_age, repair_age)

    async def _backfill_finished_age(self) -> float | None:
        """Seconds since this process first saw that the backfill, this very run of it, has finished."""
        state = await load_state(self._stores.control, self._stores.mapping)
        finished_at = state.backfill_finished_at if state is not None else None
        now = self._clock.monotonic()
        if finished_at is None:
            self._finished = None
            return None
        if self._finished is None or self._finished[0] != finished_at:
            self._finished = (finished_at, now)
        return now - self._finished[1]

    def _verdict(self, seen: Seen, around: Surroundings) -> PurgeVerdict:
        facts = PurgeFacts(
            tombstone_age=around.now - seen.at,
            backfill_finished_age=around.backfill_finished_age,
            read_past=around.rounds >= seen.round + ROUNDS_TO_PASS,
            ownership_age=around.now - self._lease.held_since,
            oldest_repair_age=around.oldest_repair_age,
        )
        return may_purge(facts, horizon=self._times.writer_horizon_seconds, grace=self._times.purge_grace_seconds)

    async def _purge(self, seen: Seen) -> bool:
        written = await self._stores.store.write(
            purge_write(self._stores.mapping, seen.table, seen.item), fence=self._lease.check
        )
        self._count("purged" if written else "changed")
        return written
