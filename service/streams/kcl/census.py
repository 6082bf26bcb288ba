"""The census: what all workers of a lane have read together, as the one that holds the lane's lease sees it.

It lists the shards, adopts new ones, and fails closed for all when unread ones are gone: KCL itself would go on.
"""

from collections import deque
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from service.clock import Clock
from service.control.workers import SAID_SINCE
from service.core.shards import RETENTION_SECONDS, awaiting_children, may_open
from service.streams.engine import EngineSnapshot
from service.streams.kcl.held_shard import READ_AHEAD
from service.streams.kcl.lease_table import LeaseTable
from service.streams.kcl.reports import SHARE_SECONDS, HeldView, ShardReport, ShardReports, share_name
from service.streams.measures import ShardMeasure, stream_snapshot, unfinished
from service.streams.retry import StreamRetry
from service.streams.rounds import Rounds
from service.streams.shards import Shards
from service.tasks import task_group

WATCHES = 16
"""Of one shard at once. One that is far behind needs no more."""


@dataclass(slots=True)
class _Watch:
    """One shard at one worker, since a ticket was drawn with the share ``number`` in view. page: the first that was surely read
    since; None: not known yet."""

    ticket: int
    number: int
    page: int | None = None


class Evidence:
    """Follows the shares. Every look begins a watch of every shard, so that none has to wait for the one before."""

    def __init__(self) -> None:
        self._watches: dict[tuple[str, str], deque[_Watch]] = {}

    def note(self, ticket: int, shares: Mapping[str, ShardReport]) -> Iterator[tuple[str, int]]:
        """Take ``shares`` into account, which were read after ``ticket`` was drawn: every shard that has been read to its end, and
        since which ticket at least."""
        seen = {(worker, shard): share for worker, share in shares.items() for shard in share.shards}
        self._watches = {one: self._watches.get(one, deque(maxlen=WATCHES)) for one in seen}
        for (worker, shard), share in seen.items():
            watches = self._watches[worker, shard]
            since = _settled(watches, share, share.shards[shard])
            if since is not None:
                yield shard, since
            if len(watches) < WATCHES:
                watches.append(_Watch(ticket, share.number))


def _settled(watches: deque[_Watch], share: ShardReport, view: HeldView) -> int | None:
    """The newest ticket whose watch is over. What a worker that has begun anew says is no evidence for what was asked before."""
    if watches and (share.number < watches[0].number or view.pages < (watches[0].page or 0) - READ_AHEAD - 1):
        watches.clear()
    for watch in watches:
        if watch.page is None and share.number >= watch.number + SAID_SINCE:
            watch.page = view.pages + READ_AHEAD + 1
    since = None
    while watches and watches[0].page is not None and view.tip_page >= watches[0].page:
        since = watches.popleft().ticket
    return since


ROWS_SECONDS = 60.0
"""How often KCL's lease table is looked through for rows that have gone."""


@dataclass(frozen=True, slots=True)
class CountedStream:
    """One stream that is counted, with KCL's lease table of it."""

    table: str
    shards: Shards
    leases: LeaseTable


class Census:
    """Counts until cancelled."""

    def __init__(
        self,
        streams: Sequence[CountedStream],
        shares: ShardReports,
        clock: Clock,
        patience: StreamRetry,
        discovery_seconds: float,
    ) -> None:
        self._counts = [_StreamCount(stream, clock, patience) for stream in streams]
        self._shares = shares
        self._clock = clock
        self._patience = patience
        self._discovery_seconds = discovery_seconds

    async def begin(self) -> None:
        """Bring KCL's lease tables to the saved positions. Before any worker's daemon is started, unless it runs already. Raises
        Refused when a lease table is another's, Trimmed or StreamGone when unread changes are gone."""
        for count in self._counts:
            await count.begin()

    async def run(self) -> None:
        """Count. Raises Fatal when going on could skip a record (I5)."""
        async with task_group() as tasks:
            tasks.create_task(self._list())
            tasks.create_task(self._count())

    def snapshot(self) -> EngineSnapshot:
        """Where all workers stand together."""
        seen = [count.snapshot() for count in self._counts]
        return EngineSnapshot(
            shards_reading=sum(one.shards_reading for one in seen),
            shards_finished=sum(one.shards_finished for one in seen),
            rounds=min((one.rounds for one in seen), default=0),
            lag_seconds=max((one.lag_seconds for one in seen), default=0.0),
            retention_headroom_seconds=min((one.retention_headroom_seconds for one in seen), default=RETENTION_SECONDS),
            shards_waiting=sum(one.shards_waiting for one in seen),
            read_lag_seconds=max((one.read_lag_seconds for one in seen), default=0.0),
        )

    async def _list(self) -> None:
        while True:
            for count in self._counts:
                await count.look()
            await self._clock.sleep(self._discovery_seconds)

    async def _count(self) -> None:
        while True:
            tickets = [count.ticket() for count in self._counts]
            shares = await self._patience(self._shares.heard)
            for count, ticket in zip(self._counts, tickets, strict=True):
                count.note(ticket, shares)
            await self._clock.sleep(SHARE_SECONDS)


class _StreamCount:
    """One stream's part of the census."""

    def __init__(self, stream: CountedStream, clock: Clock, patience: StreamRetry) -> None:
        self._stream = stream
        self._clock = clock
        self._patience = patience
        self._rounds = Rounds()
        self._evidence = Evidence()
        self._views: dict[str, HeldView] = {}
        self._rows_seen_at = clock.monotonic()

    def ticket(self) -> int:
        """To be drawn right before the shares are read."""
        return self._rounds.ticket()

    async def begin(self) -> None:
        leases, shards = self._stream.leases, self._stream.shards
        rows = await self._patience(leases.rows)
        await shards.load()
        await shards.look()
        await self._patience(lambda: leases.follow(rows, shards.known))

    async def look(self) -> None:
        """List the shards once more; what other workers have saved since counts too."""
        ticket = self._rounds.ticket()
        shards = self._stream.shards
        before = set(shards.known)
        await shards.load()
        await shards.look()
        for shard_id in await self._without_row(before):
            await self._patience(partial(self._stream.leases.add, shard_id, shards.known[shard_id]))
        self._rounds.looked(ticket)

    async def _without_row(self, before: set[str]) -> Collection[str]:
        """Shards that are new; now and then all that are to be read and have no row any more, which KCL takes for read."""
        known, now = self._stream.shards.known, self._clock.monotonic()
        if now < self._rows_seen_at + ROWS_SECONDS:
            return known.keys() - before
        self._rows_seen_at = now
        return set(unfinished(known)) - (await self._patience(self._stream.leases.rows)).keys()

    def note(self, ticket: int, shares: Mapping[str, ShardReport]) -> None:
        """Take the workers' shares into account, which were read after ``ticket`` was drawn."""
        mine = {worker: _of(self._stream.table, share) for worker, share in shares.items()}
        self._views = {}
        for share in mine.values():
            for shard_id, view in share.shards.items():  # of two that hold one, what the worse says
                self._views[shard_id] = max(view, self._views.get(shard_id, view), key=lambda one: one.lag_seconds)
        for shard_id, since in self._evidence.note(ticket, mine):
            self._rounds.read_to_end(shard_id, since)
        known = self._stream.shards.known
        self._rounds.settle(unfinished(known), children_late=bool(awaiting_children(known, self._clock.now())))

    def snapshot(self) -> EngineSnapshot:
        """Where the stream stands."""
        known = self._stream.shards.known
        read = {
            shard_id: ShardMeasure(view.lag_seconds, view.read_lag_seconds, view.as_of)
            for shard_id, view in self._views.items()
        }
        waiting = [shard_id for shard_id in unfinished(known) if not may_open(known, shard_id)]
        return stream_snapshot(known, read, waiting, self._rounds.count, self._clock.now())


def _of(table: str, share: ShardReport) -> ShardReport:
    """The shards of one table's stream, by their ids."""
    prefix = share_name(table, "")
    shards = {name.removeprefix(prefix): view for name, view in share.shards.items() if name.startswith(prefix)}
    return ShardReport(share.number, share.said_at, shards)
