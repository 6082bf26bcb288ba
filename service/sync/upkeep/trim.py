"""Trimming the ledger: an entry is dropped when it can no longer matter.

An entry keeps three things apart: changes that were applied from those that were not (`done`), records of ours from those of the
application (`seen`, `put`), and places that are live from those that are not (`keys`). It may go when

(a) both sides agree, nothing is held, and its one live place is where the old item belongs: either direction finds that place
    again from the images and the old item. A key in quarantine keeps its entry: a retry killed half-way replays.
(b) every record of the item that was in a stream when the entry was read has been applied and its position saved, in both
    directions: both lanes catch up after the reading, and the entry is dropped only if it is as it was read. All our writes
    of the item change its entry, so none of ours is unread, and no position lies before one that was applied.
(c) nobody superseded can apply such a record again: both leases have had the same holders for a writer horizon, and no shard
    has been claimed from one worker by another meanwhile.
(d) its epoch is over: the epoch was raised, and both lanes have acknowledged it for a writer horizon. An entry made anew
    begins above every count of this one, so that the next count of reverse is above that on the old item, and a stamp of this
    time can only be an image that the application has put back.

An application's write that comes in between is unread, and is new to the new entry as it was to this one. Raising the epoch
has both lanes start their engines anew, so it is done seldom.
"""

from collections.abc import Collection
from dataclasses import dataclass, replace
from typing import Protocol

from service.clock import Clock
from service.control.checkpoints import takeovers
from service.control.leases import lease_token
from service.control.ledger import Ledger, Read
from service.control.quarantine import Quarantine, quarantine_id
from service.control.state import MigrationState, change_state, load_started_state
from service.control.table import ControlTable
from service.control.workers import BOTH, LaneName, Workers, owner_among
from service.core.item.stamp import GENERATION_DIGITS
from service.core.mapping.mapping import Mapping
from service.core.rules.agreement import BothSides, forgettable, places_of
from service.dynamodb.protocol import Fence, ItemStore
from service.sync.upkeep.both_sides import read_sides

DROPPED_AT_ONCE = 1_000
"""Entries kept in memory, about 1 KB each, until both lanes have caught up."""

CAUGHT_UP_WITHIN_SECONDS = 60.0
LAST_EPOCH = 10**GENERATION_DIGITS - 1


class TrimTimes(Protocol):
    """The settings that trimming depends on."""

    @property
    def ledger_trim_seconds(self) -> float: ...

    @property
    def writer_horizon_seconds(self) -> float: ...


@dataclass(frozen=True, slots=True)
class _Standing:
    """What must not have changed: the epoch that both lanes have acknowledged, who holds each lane's lease, and which shards
    have been claimed over another worker."""

    epoch: int
    tokens: tuple[int | None, ...]
    takeovers: frozenset[tuple[str, int]]


class Trimmer:
    """Drops what ``Verifier`` offers it. ``leases``: of the lanes, by name. ``fence``: of the lane that it runs beside."""

    def __init__(
        self,
        store: ItemStore,
        control: ControlTable,
        mapping: Mapping,
        clock: Clock,
        times: TrimTimes,
        *,
        ledger: Ledger,
        workers: Workers,
        leases: dict[LaneName, str],
        fence: Fence,
    ) -> None:
        self._store = store
        self._control = control
        self._mapping = mapping
        self._clock = clock
        self._times = times
        self._ledger = ledger
        self._workers = workers
        self._leases = leases
        self._fence = fence
        self._begun = clock.monotonic()
        self._standing: _Standing | None = None
        self._since = (0.0, 0.0)
        self._offered: list[Read] = []
        self._current = False

    async def begin(self) -> None:
        """A walk begins: see what is in force."""
        self._offered, self._current = [], False
        await self._look_around()

    async def offer(self, read: Read) -> None:
        """An entry whose sides agree. It is dropped with others, sooner or later in this walk, if it may be."""
        if self._standing is None:
            return
        if read.entry.epoch >= self._standing.epoch:
            self._current = True
        elif read.entry.touched_at < self._since[1]:
            self._offered.append(read)
        if len(self._offered) >= DROPPED_AT_ONCE:
            await self._drop()

    async def end(self) -> None:
        """The walk is over: drop what is left, and raise the epoch when it is time and there is something to gain."""
        await self._drop()
        due = self._clock.monotonic() >= self._begun + self._times.ledger_trim_seconds
        if self._current and due:
            await change_state(self._control, self._mapping, self._clock.now(), self._raised)

    def _raised(self, state: MigrationState) -> MigrationState:
        """The state in the next epoch; not while a move is under way, whose steps ask who has acknowledged what."""
        assert self._standing is not None
        same = state.epoch == self._standing.epoch and state.rule == "ledger"
        if not same or state.move is not None or state.epoch >= LAST_EPOCH:
            return state
        return replace(state, epoch=state.epoch + 1)

    def _steady(self) -> bool:
        return self._clock.monotonic() >= self._since[0] + self._times.writer_horizon_seconds

    async def _look_around(self) -> None:
        """Note since when this process has seen what stands now, on its own monotonic clock."""
        found = await self._standing_now()
        if found != self._standing:
            self._standing, self._since = found, (self._clock.monotonic(), self._clock.now())

    async def _standing_now(self) -> _Standing | None:
        state = await load_started_state(self._control, self._mapping)
        heard = await self._workers.heard()
        for lane in BOTH:
            reading = [beat.lane(lane) for beat in heard.values() if beat.lane(lane).reads]
            if owner_among(heard, lane) is None or any(said.acting != state.acting for said in reading):
                return None
        tokens = [await lease_token(self._control, self._leases[lane]) for lane in BOTH]
        arns = [arn for arn in (state.stream_arn, *state.v2_streams.values()) if arn is not None]
        return _Standing(state.epoch, tuple(tokens), await takeovers(self._control, arns))

    async def _drop(self) -> None:
        """Drop what was offered and still may go, once both lanes have read past what was in the streams."""
        offered, self._offered = self._offered, []
        if not offered or not await self._workers.caught_up(CAUGHT_UP_WITHIN_SECONDS, BOTH):
            return
        quarantined = (await Quarantine(self._control, self._clock).heads()).keys()
        sides = await read_sides(
            self._store, self._mapping, [(read.entry.key, places_of(read.entry)) for read in offered]
        )
        await self._look_around()
        if self._standing is None or not self._steady():
            return
        for read, seen in zip(offered, sides, strict=True):
            if forgettable(self._mapping, read.entry, seen) and not self._waits(read, seen, quarantined):
                await self._store.write(self._ledger.delete(read), fence=self._fence)

    def _waits(self, read: Read, sides: BothSides, quarantined: Collection[str]) -> bool:
        """Whether the key, on either side, is in quarantine."""
        keys = [(self._mapping.old.table, read.entry.key), *((one.place.table, one.place.key) for one in sides.v2)]
        return any(quarantine_id(table, key) in quarantined for table, key in keys)
