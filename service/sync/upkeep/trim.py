"""Trims the ledger: an entry is dropped when it can no longer matter.

An entry keeps these apart: changes that were applied from those that were not (`done`, the claims), changes that we made from
those of the application (`seen`, the counts), and places that are live from those that are not (`places`). It may be dropped when

(a) both sides agree, nothing is held, and the one live place is where the old item belongs: either direction finds that place again
    from the images and the old item. A key in quarantine keeps its entry: a retry that was killed half-way replays.
(b) every change of the item that was in a stream when the entry was read has been applied and its position saved, in both
    directions: both lanes catch up after the read, and the entry is dropped only if it has not changed since. All our writes of
    the item change its entry, so none of ours is unread, and no position lies before a change that was applied.
(c) no superseded worker can apply such a change again: both leases have had the same holders for a writer horizon, and in that
    time no worker has claimed a shard from another.
(d) its epoch is over: the epoch was raised, and both lanes have acknowledged it for a writer horizon. A new entry of the item
    begins above every count of this one, so that the next count of reverse is above the one on the old item, and a stamp of the
    earlier epoch can only come from an image that the application has put back.

A write by the application in between is unread, and is as new to the new entry as it was to this one. Raising the epoch makes
both lanes restart their engines, so it is done seldom.
"""

from collections.abc import Collection
from dataclasses import dataclass, replace
from typing import Protocol

from service.control.checkpoints import takeovers
from service.control.leases import LANE_LEASES, lease_token
from service.control.ledger import EntryReading, Ledger
from service.control.quarantine import Quarantine, quarantine_id
from service.control.state import MigrationState, change_state, load_started_state
from service.control.stores import Stores
from service.control.workers import BOTH, Workers, owner_among
from service.core.item.stamp import GENERATION_DIGITS
from service.core.rules.agreement import BothSides, forgettable, places_of
from service.dynamodb.protocol import Fence
from service.sync.upkeep.both_sides import read_both_sides

DROPPED_AT_ONCE = 1_000
"""Entries kept in memory, about 1 KB each, until both lanes have caught up."""

UPKEEP_CATCH_UP_SECONDS = 60.0
"""How long to wait until both lanes have caught up."""
LAST_EPOCH = 10**GENERATION_DIGITS - 1


class TrimTimes(Protocol):
    """The settings that trimming depends on."""

    @property
    def ledger_trim_seconds(self) -> float: ...

    @property
    def writer_horizon_seconds(self) -> float: ...


@dataclass(frozen=True, slots=True)
class _Baseline:
    """What must not have changed while entries are dropped."""

    epoch: int
    """The ledger's epoch, which both lanes have acknowledged."""
    tokens: tuple[int | None, ...]
    """The token of each lane's lease."""
    takeovers: frozenset[tuple[str, int]]
    """The shards that were claimed from another worker."""


class Trimmer:
    """Drops the entries that ``Verifier`` offers."""

    def __init__(self, stores: Stores, times: TrimTimes, ledger: Ledger, fence: Fence) -> None:
        """``fence``: of the lane that the trimmer runs beside."""
        self._stores = stores
        self._clock = stores.clock
        self._times = times
        self._ledger = ledger
        self._workers = Workers(stores.control, stores.clock)
        self._fence = fence
        self._begun = stores.clock.monotonic()
        self._baseline: _Baseline | None = None
        self._since = (0.0, 0.0)
        self._offered: list[EntryReading] = []
        self._has_current = False

    async def begin(self) -> None:
        """A walk over the ledger begins: read what is in force."""
        self._offered, self._has_current = [], False
        await self._update_baseline()

    async def offer(self, read: EntryReading) -> None:
        """Take an entry whose sides agree. It is dropped together with others, at some time in this walk, if it may be."""
        if self._baseline is None:
            return
        if read.entry.epoch >= self._baseline.epoch:
            self._has_current = True
        elif read.entry.touched_at < self._since[1]:
            self._offered.append(read)
        if len(self._offered) >= DROPPED_AT_ONCE:
            await self._drop()

    async def end(self) -> None:
        """The walk is over: drop what is left, and raise the epoch if that is due and the ledger has entries of the current
        epoch."""
        await self._drop()
        due = self._clock.monotonic() >= self._begun + self._times.ledger_trim_seconds
        if self._has_current and due:
            await change_state(self._stores.control, self._stores.mapping, self._clock.now(), self._raised)

    def _raised(self, state: MigrationState) -> MigrationState:
        """The state in the next epoch; unchanged while a move is under way, because its steps ask who has acknowledged what."""
        assert self._baseline is not None
        same = state.epoch == self._baseline.epoch and state.rule == "ledger"
        if not same or state.move is not None or state.epoch >= LAST_EPOCH:
            return state
        return replace(state, epoch=state.epoch + 1)

    def _is_steady(self) -> bool:
        return self._clock.monotonic() >= self._since[0] + self._times.writer_horizon_seconds

    async def _update_baseline(self) -> None:
        """Read what is in force now, and since when that has been so on this process's own monotonic clock."""
        baseline = await self._read_baseline()
        if baseline != self._baseline:
            self._baseline, self._since = baseline, (self._clock.monotonic(), self._clock.now())

    async def _read_baseline(self) -> _Baseline | None:
        state = await load_started_state(self._stores.control, self._stores.mapping)
        live = await self._workers.live()
        for lane in BOTH:
            reading = [beat.lane(lane) for beat in live.values() if beat.lane(lane).reads]
            if owner_among(live, lane) is None or any(beat.acting != state.acting for beat in reading):
                return None
        tokens = [await lease_token(self._stores.control, LANE_LEASES[lane]) for lane in BOTH]
        arns = [arn for arn in (state.stream_arn, *state.v2_streams.values()) if arn is not None]
        return _Baseline(state.epoch, tuple(tokens), await takeovers(self._stores.control, arns))

    async def _drop(self) -> None:
        """Drop the entries that were offered and still may be dropped, once both lanes have read past what was in the streams."""
        offered, self._offered = self._offered, []
        if not offered or not await self._workers.caught_up(UPKEEP_CATCH_UP_SECONDS, BOTH):
            return
        quarantined = await Quarantine(self._stores.control, self._clock).ids()
        sides = await read_both_sides(
            self._stores.store, self._stores.mapping, [(read.entry.key, places_of(read.entry)) for read in offered]
        )
        await self._update_baseline()
        if self._baseline is None or not self._is_steady():
            return
        for read, both in zip(offered, sides, strict=True):
            if forgettable(self._stores.mapping, read.entry, both) and not self._waits(read, both, quarantined):
                await self._stores.store.write(self._ledger.delete(read), fence=self._fence)

    def _waits(self, read: EntryReading, sides: BothSides, quarantined: Collection[str]) -> bool:
        """Whether the key, on either side, is in quarantine."""
        keys = [
            (self._stores.mapping.old.table, read.entry.key),
            *((found.place.table, found.place.key) for found in sides.v2),
        ]
        return any(quarantine_id(table, key) in quarantined for table, key in keys)
