"""A lane that several workers read together, with the kcl engine.

Every worker reads the shards that KCL leases to it. One of them, which holds the lane's lease, also counts the rounds for all,
purges and verifies. A worker changes its rule as one that reads alone does: when what it has applied is saved. KCL's daemon
keeps running meanwhile.
"""

import asyncio
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import NoReturn

from service.app import App
from service.clock import Clock
from service.control.claims import SharedCheckpoints
from service.control.engine import engine_in_force, put_kcl_in_force
from service.control.leases import Lease
from service.control.state import MigrationState, load_started_state
from service.control.workers import BEAT_SECONDS, worker_id
from service.errors import Fenced, Misconfigured, Retryable
from service.streams.engine import ShardSink, StreamEngine
from service.streams.kcl.census import Census, CountedStream
from service.streams.kcl.daemon import require_daemon
from service.streams.kcl.lease_table import LeaseTable, lease_table_name, new_lease_table
from service.streams.kcl.properties import DaemonOptions, read_properties
from service.streams.kcl.reader import KclEngine, KclReader, KclReaderContext, NamedStream
from service.streams.kcl.reports import ShardReports
from service.streams.kcl.sink_slot import check_claim
from service.streams.requests import StreamRequests
from service.streams.retry import StreamRetry
from service.streams.shards import Shards
from service.sync.lane import Lane
from service.tasks import task_group


class RuleFence:
    """The fence of a worker that must know which rule is in force: it is good for ``seconds`` after each look at the state.

    Once it has run out, it stays so.
    """

    def __init__(self, clock: Clock, seconds: float) -> None:
        self._clock = clock
        self._seconds = seconds
        self._good_until = clock.monotonic() + seconds
        self._lost: Fenced | None = None

    def confirm(self, asked_at: float) -> None:
        """A look at the state that began at ``asked_at``, on this process's monotonic clock, found the rule in force."""
        self.check()
        self._good_until = asked_at + self._seconds

    def check(self) -> None:
        """Return while the fence is good. Raises Fenced once this worker's own clock has passed it."""
        if self._lost is None and self._clock.monotonic() >= self._good_until:
            self._lost = Fenced(
                "the migration's state could not be read in time: this worker writes nothing more",
                remedy="nothing: it starts again from what is saved",
            )
        if self._lost is not None:
            raise self._lost


@dataclass(frozen=True, slots=True)
class _Assignment:
    """What a worker does in the lane for a time."""

    state: MigrationState
    """The state by which it applies changes."""
    lease: Lease | None = None
    """The lane's lease, if this worker holds it."""
    census: Census | None = None
    """The lane's census, which the worker with the lease runs."""


class SharedLane:
    """One worker of a lane that several workers read."""

    def __init__(self, lane: Lane) -> None:
        app = lane.app
        self._lane = lane
        self._app = app
        self._options = daemon_options(app)
        self._retry = StreamRetry(app.clock, app.metrics.count_retry)
        self._reports = ShardReports(app.control, lane.name, app.clock)
        self._lease: Lease | None = None
        self._census: Census | None = None
        self._rule_fence = RuleFence(app.clock, app.settings.lease_seconds)

    async def run(self) -> NoReturn:
        """Read until cancelled. Raises what stops the lane."""
        require_daemon(self._options)
        async with task_group() as tasks:
            tasks.create_task(self._seek_lease())
            while True:
                await self._read(await self._next())

    async def _seek_lease(self) -> NoReturn:
        async with self._lane.hold_lease(stand_by=lambda: None) as lease:
            self._lease = lease
            await asyncio.Event().wait()
        raise AssertionError("the lease is held until it is lost")

    async def _next(self) -> _Assignment:
        """The next assignment, once the worker that holds the lease, this one or another, has prepared the lane."""
        while True:
            if self._lease is not None:
                return await self._retry(partial(self._next_as_owner, self._lease))
            if await self._retry(self._is_in_force):
                return _Assignment(await self._retry(partial(self._lane.ready_state, None)))
            self._lane.stand_by()
            await self._app.clock.sleep(BEAT_SECONDS)

    async def _is_in_force(self) -> bool:
        """Whether the kcl engine reads this lane. Raises Misconfigured when its workers use other KCL tables than this worker."""
        engine = await engine_in_force(self._app.control, self._lane.name)
        if engine is None or engine.engine != "kcl":
            return False
        if engine.application != self._options.application:
            mine = self._options.application
            raise Misconfigured(
                f"other workers read this lane by TABLESPLIT_KCL_APPLICATION={engine.application}, this one by {mine}",
                remedy="set the same value for every worker",
            )
        return True

    async def _next_as_owner(self, lease: Lease) -> _Assignment:
        app, lane = self._app, self._lane
        state = await lane.ready_state(lease)
        if self._census is None and (streams := lane.streams(state)):
            self._census = await self._new_census(lease, streams)
        await put_kcl_in_force(app.control, lane.name, lease, self._options.application)
        return _Assignment(state, lease, self._census)

    async def _new_census(self, lease: Lease, streams: Mapping[str, str]) -> Census:
        app = self._app
        counted = [await self._counted(table, arn, lease) for table, arn in sorted(streams.items())]
        census = Census(counted, self._reports, app.clock, self._retry, app.settings.shard_discovery_seconds)
        await census.begin()
        return census

    async def _counted(self, table: str, arn: str, lease: Lease) -> CountedStream:
        app = self._app
        name = lease_table_name(self._options.application, table)
        await app.tables.make(new_lease_table(name))
        requests = StreamRequests(app.store, arn, table, self._retry)
        shards = Shards(requests, self._claims(arn, lease.token))
        return CountedStream(table, shards, LeaseTable(app.store, name, app.settings.control_table))

    async def _read(self, first: _Assignment) -> None:
        """Do ``first`` and the assignments that follow, as long as the streams stay the same and the kcl engine is in force."""
        streams = self._lane.streams(first.state)
        if not streams:
            await self._work(None, first)
            return
        async with KclReader.open(self._named(streams), self._reader_context()) as reader:
            assignment: _Assignment | None = first
            while assignment is not None:
                await self._work(reader, assignment)
                assignment = await self._next_of(streams)

    async def _next_of(self, streams: Mapping[str, str]) -> _Assignment | None:
        """The next assignment, if it reads the same ``streams`` by the kcl engine; None if not."""
        if self._lease is None and not await self._retry(self._is_in_force):
            return None
        assignment = await self._next()
        return assignment if self._lane.streams(assignment.state) == streams else None

    async def _work(self, reader: KclReader | None, assignment: _Assignment) -> None:
        """Do ``assignment`` until the state changes, or this worker takes or loses the lease."""
        self._rule_fence = RuleFence(self._app.clock, self._app.settings.lease_seconds)
        if not await self._changed(assignment):
            await self._lane.work(
                _Together(reader, assignment), assignment.state, partial(self._until_changed, assignment)
            )

    async def _until_changed(self, assignment: _Assignment) -> None:
        clock = self._app.clock
        while True:
            await clock.sleep(BEAT_SECONDS)
            asked_at = clock.monotonic()
            with suppress(Retryable):
                if await self._changed(assignment):
                    return
                self._rule_fence.confirm(asked_at)
            self._rule_fence.check()

    async def _changed(self, assignment: _Assignment) -> bool:
        app = self._app
        if assignment.lease is not self._lease:
            return True
        if assignment.lease is None and not await self._is_in_force():
            return True
        state = await load_started_state(app.control, app.mapping)
        return state.acting != assignment.state.acting or self._lane.streams(state) != self._lane.streams(
            assignment.state
        )

    def _named(self, streams: Mapping[str, str]) -> list[NamedStream]:
        return [NamedStream(table, arn, self._claims(arn)) for table, arn in sorted(streams.items())]

    def _claims(self, arn: str, token: int = 0) -> SharedCheckpoints:
        app = self._app
        return SharedCheckpoints(app.control, arn, app.mapping.hash, app.clock, app.settings.lease_seconds, token)

    def _reader_context(self) -> KclReaderContext:
        app = self._app
        return KclReaderContext(
            store=app.store,
            reports=self._reports,
            options=self._options,
            settings=app.settings,
            clock=app.clock,
            trust_seconds=app.settings.lease_seconds,
            rule_fence=lambda: self._rule_fence.check(),
            retried=app.metrics.count_retry,
            applied=partial(app.metrics.observe_apply_lag, self._lane.name),
        )


class _Together:
    """Implements ``Reading`` for a lane that several workers read."""

    def __init__(self, reader: KclReader | None, assignment: _Assignment) -> None:
        """``reader``: None when there is nothing to read any more."""
        self.lease = assignment.lease
        self.fence = check_claim
        self._reader = reader
        self._census = assignment.census

    def taken_over(self) -> int:
        return 0 if self._reader is None else self._reader.taken_over

    def engines(self, streams: Mapping[str, str], sink: Callable[[], ShardSink]) -> list[StreamEngine]:  # noqa: ARG002
        """One engine, and one daemon, for all streams of the lane."""
        return [] if self._reader is None else [KclEngine(self._reader, sink(), self._census)]


async def read_shared(lane: Lane) -> None:
    """Read ``lane`` together with every other worker that reads it. Raises what stops the lane."""
    await SharedLane(lane).run()


def daemon_options(app: App) -> DaemonOptions:
    """The configuration of KCL's daemon, from the settings. Raises Misconfigured for a property file that cannot be read."""
    settings = app.settings
    return DaemonOptions(
        jars=settings.kcl_jars,
        application=settings.kcl_application,
        worker=worker_id(),
        region=settings.aws_region,
        endpoint=settings.endpoint_url,
        heap_mb=settings.kcl_heap_mb,
        poll_seconds=settings.poll_interval_seconds,
        extra=read_properties(settings.kcl_properties),
        streams_endpoint=settings.streams_url,
    )
