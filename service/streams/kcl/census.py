"""The census: what all workers of a lane have read together, counted by the worker that holds the lane's lease.

It lists the shards, adopts new ones, and stops the lane for all workers when unread shards are gone; KCL itself would go on.
The evidence that a shard is read to its end comes from the workers' reports.
"""

from collections import deque
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from service.clock import Clock
from service.control.workers import BEATS_TO_BE_FRESH
from service.core.shards import RETENTION_SECONDS, awaiting_children, may_open
from service.streams.engine import EngineSnapshot
from service.streams.kcl.held_shard import READ_AHEAD
from service.streams.kcl.lease_table import LeaseTable
from service.streams.kcl.reports import REPORT_SECONDS, ShardReport, ShardReports, ShardView, shard_name
from service.streams.measures import ShardMeasure, stream_snapshot, unfinished
from service.streams.retry import StreamRetry
from service.streams.rounds import Rounds
from service.streams.shards import Shards
from service.tasks import task_group

PROBES = 16
"""At most so many probes of one shard at once. A shard that is far behind needs no more."""


@dataclass(slots=True)
class _Probe:
    """A question about one shard of one worker: has it been read to its end since ``ticket`` was drawn?"""

    ticket: int
    number: int
    """The number of the worker's report that was the newest when the probe began."""
    page: int | None = None
    """The first page that was certainly read after the probe began; None: not known yet."""


class Evidence:
    """Finds in the workers' reports which shards are read to their end, and since when.

    Every look starts a probe of every shard, so that no probe has to wait for the one before.
    """

    def __init__(self) -> None:
        self._probes: dict[tuple[str, str], deque[_Probe]] = {}

    def note(self, ticket: int, reports: Mapping[str, ShardReport]) -> Iterator[tuple[str, int]]:
        """Take the ``reports`` into account, which were read after ``ticket`` was drawn.

        Yields every shard that has been read to its end, with the newest ticket for which that is certain.
        """
        by_shard = {(worker, shard): report for worker, report in reports.items() for shard in report.shards}
        self._probes = {key: self._probes.get(key, deque(maxlen=PROBES)) for key in by_shard}
        for (worker, shard), report in by_shard.items():
            probes = self._probes[worker, shard]
            since = _newest_proven(probes, report, report.shards[shard])
            if since is not None:
                yield shard, since
            if len(probes) < PROBES:
                probes.append(_Probe(ticket, report.number))


def _newest_proven(probes: deque[_Probe], report: ShardReport, view: ShardView) -> int | None:
    """The newest ticket whose probe is answered.

    A worker that has restarted counts its reports from 1 again, and a shard that is claimed again counts its pages from 0: then
    the probes so far are dropped.
    """
    if probes and (report.number < probes[0].number or view.pages < (probes[0].page or 0) - READ_AHEAD - 1):
        probes.clear()
    for probe in probes:
        if probe.page is None and report.number >= probe.number + BEATS_TO_BE_FRESH:
            probe.page = view.pages + READ_AHEAD + 1
    since = None
    while probes and probes[0].page is not None and view.tip_page >= probes[0].page:
        since = probes.popleft().ticket
    return since


ROWS_SECONDS = 60.0
"""How often KCL's lease table is searched for rows that have disappeared."""


@dataclass(frozen=True, slots=True)
class CountedStream:
    """One stream that is counted, with KCL's lease table of it."""

    table: str
    shards: Shards
    leases: LeaseTable


class Census:
    """Counts rounds over all workers of a lane."""

    def __init__(
        self,
        streams: Sequence[CountedStream],
        reports: ShardReports,
        clock: Clock,
        retry: StreamRetry,
        discovery_seconds: float,
    ) -> None:
        self._counts = [_StreamCount(stream, clock, retry) for stream in streams]
        self._reports = reports
        self._clock = clock
        self._retry = retry
        self._discovery_seconds = discovery_seconds

    async def begin(self) -> None:
        """Bring KCL's lease tables in step with the saved positions, before any worker starts its daemon (one may be running
        already).

        Raises Refused when a lease table belongs to another application, Trimmed or StreamGone when unread changes are gone.
        """
        for count in self._counts:
            await count.begin()

    async def run(self) -> None:
        """Count until cancelled. Raises Fatal when going on could skip a record (I5)."""
        async with task_group() as tasks:
            tasks.create_task(self._list())
            tasks.create_task(self._count())

    def snapshot(self) -> EngineSnapshot:
        """The state of all workers' shards together."""
        streams = [count.snapshot() for count in self._counts]
        return EngineSnapshot(
            shards_unfinished=sum(stream.shards_unfinished for stream in streams),
            shards_finished=sum(stream.shards_finished for stream in streams),
            rounds=min((stream.rounds for stream in streams), default=0),
            lag_seconds=max((stream.lag_seconds for stream in streams), default=0.0),
            retention_headroom_seconds=min(
                (stream.retention_headroom_seconds for stream in streams), default=RETENTION_SECONDS
            ),
            shards_waiting=sum(stream.shards_waiting for stream in streams),
            read_lag_seconds=max((stream.read_lag_seconds for stream in streams), default=0.0),
        )

    async def _list(self) -> None:
        while True:
            for count in self._counts:
                await count.list_shards()
            await self._clock.sleep(self._discovery_seconds)

    async def _count(self) -> None:
        while True:
            tickets = [count.ticket() for count in self._counts]
            reports = await self._retry(self._reports.live)
            for count, ticket in zip(self._counts, tickets, strict=True):
                count.note(ticket, reports)
            await self._clock.sleep(REPORT_SECONDS)


class _StreamCount:
    """The census of one stream."""

    def __init__(self, stream: CountedStream, clock: Clock, retry: StreamRetry) -> None:
        self._stream = stream
        self._clock = clock
        self._retry = retry
        self._rounds = Rounds()
        self._evidence = Evidence()
        self._views: dict[str, ShardView] = {}
        self._rows_checked_at = clock.monotonic()

    def ticket(self) -> int:
        """A new ticket, to be drawn right before the reports are read."""
        return self._rounds.ticket()

    async def begin(self) -> None:
        leases, shards = self._stream.leases, self._stream.shards
        rows = await self._retry(leases.rows)
        await shards.load()
        await shards.refresh()
        await self._retry(lambda: leases.follow(rows, shards.known))

    async def list_shards(self) -> None:
        """List the shards once more. What other workers have saved since is taken into account."""
        ticket = self._rounds.ticket()
        shards = self._stream.shards
        before = set(shards.known)
        await shards.load()
        whole = await shards.look()
        for shard_id in await self._without_row(before):
            await self._retry(partial(self._stream.leases.add, shard_id, shards.known[shard_id]))
        if whole:
            self._rounds.listed(ticket)

    async def _without_row(self, before: set[str]) -> Collection[str]:
        """Shards that are new. From time to time also every unread shard whose row has disappeared: KCL takes such a shard for
        read."""
        known, now = self._stream.shards.known, self._clock.monotonic()
        if now < self._rows_checked_at + ROWS_SECONDS:
            return known.keys() - before
        self._rows_checked_at = now
        return set(unfinished(known)) - (await self._retry(self._stream.leases.rows)).keys()

    def note(self, ticket: int, reports: Mapping[str, ShardReport]) -> None:
        """Take the workers' reports into account, which were read after ``ticket`` was drawn."""
        mine = {worker: _of(self._stream.table, report) for worker, report in reports.items()}
        self._views = {}
        for report in mine.values():
            for shard_id, view in report.shards.items():  # if two workers hold a shard, the worse view counts
                self._views[shard_id] = max(view, self._views.get(shard_id, view), key=lambda view: view.lag_seconds)
        for shard_id, since in self._evidence.note(ticket, mine):
            self._rounds.read_to_end(shard_id, since)
        known = self._stream.shards.known
        self._rounds.settle(unfinished(known), children_late=bool(awaiting_children(known, self._clock.now())))

    def snapshot(self) -> EngineSnapshot:
        """The state of the stream."""
        known = self._stream.shards.known
        read = {
            shard_id: ShardMeasure(view.lag_seconds, view.read_lag_seconds, view.as_of)
            for shard_id, view in self._views.items()
        }
        waiting = [shard_id for shard_id in unfinished(known) if not may_open(known, shard_id)]
        return stream_snapshot(known, read, waiting, self._rounds.count, self._clock.now())


def _of(table: str, report: ShardReport) -> ShardReport:
    """The report about the shards of one table's stream, by shard id."""
    prefix = shard_name(table, "")
    shards = {name.removeprefix(prefix): view for name, view in report.shards.items() if name.startswith(prefix)}
    return ShardReport(report.number, report.said_at, shards)
