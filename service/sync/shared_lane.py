"""Reading a lane together: every worker reads the shards that KCL leases to it, and one of them, which holds the lane's lease,
counts for all, purges and verifies.

A worker changes its rule as one that reads alone does: when what it has applied is saved. KCL's daemon lives on meanwhile.
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
from service.streams.kcl.reader import KclEngine, KclReader, NamedStream, ReaderParts
from service.streams.kcl.reports import ShardReports
from service.streams.kcl.sink_slot import check_claim
from service.streams.requests import StreamRequests
from service.streams.retry import StreamRetry
from service.streams.shards import Shards
from service.sync.lane import Lane
from service.tasks import task_group


class RuleFence:
    """Good for ``seconds`` from each look; once it has run out, it has for ever."""

    def __init__(self, clock: Clock, seconds: float) -> None:
        self._clock = clock
        self._seconds = seconds
        self._good_until = clock.monotonic() + seconds
        self._lost: Fenced | None = None

    def seen(self, asked_at: float) -> None:
        """The rule was found in force by a look that began at ``asked_at``, on this process's monotonic clock."""
        self.check()
        self._good_until = asked_at + self._seconds

    def check(self) -> None:
        """Return while it is good. Raises Fenced once this worker's own clock has passed it."""
        if self._lost is None and self._clock.monotonic() >= self._good_until:
            self._lost = Fenced(
                "the migration's state could not be read in time: this worker writes nothing more",
                remedy="nothing: it begins anew with what is saved",
            )
        if self._lost is not None:
            raise self._lost


@dataclass(frozen=True, slots=True)
class _Part:
    """What a worker does in the lane for a time: by which state; with the lane's lease and the census that goes with it, or
    without."""

    state: MigrationState
    lease: Lease | None = None
    census: Census | None = None


class Sharing:
    """One worker's part in reading a lane together."""

    def __init__(self, lane: Lane) -> None:
        app = lane.app
        self._lane = lane
        self._app = app
        self._options = daemon_options(app)
        self._patience = StreamRetry(app.clock, app.metrics.count_retry)
        self._shares = ShardReports(app.control, lane.name, app.clock)
        self._lease: Lease | None = None
        self._census: Census | None = None
        self._standing = RuleFence(app.clock, app.settings.lease_seconds)

    async def run(self) -> NoReturn:
        """Read until cancelled. Raises what stops the lane."""
        require_daemon(self._options)
        async with task_group() as tasks:
            tasks.create_task(self._seek_lease())
            while True:
                await self._read(await self._begin())

    async def _seek_lease(self) -> NoReturn:
        async with self._lane.hold_lease(stand_by=lambda: None) as lease:
            self._lease = lease
            await asyncio.Event().wait()
        raise AssertionError("the lease is held for ever, or lost")

    async def _begin(self) -> _Part:
        """The part to take, once the worker that holds the lease, this one or another, has made everything ready."""
        while True:
            if self._lease is not None:
                return await self._patience(partial(self._begin_as_owner, self._lease))
            if await self._patience(self._is_in_force):
                return _Part(await self._patience(partial(self._lane.ready_state, None)))
            self._lane.stand_by()
            await self._app.clock.sleep(BEAT_SECONDS)

    async def _is_in_force(self) -> bool:
        """Whether the kcl engine reads this lane. Raises Misconfigured when it does by other tables of KCL's than this worker's."""
        found = await engine_in_force(self._app.control, self._lane.name)
        if found is None or found.engine != "kcl":
            return False
        if found.application != self._options.application:
            mine = self._options.application
            raise Misconfigured(
                f"other workers read this lane by TABLESPLIT_KCL_APPLICATION={found.application}, this one by {mine}",
                remedy="give every worker the same",
            )
        return True

    async def _begin_as_owner(self, lease: Lease) -> _Part:
        app, lane = self._app, self._lane
        state = await lane.ready_state(lease)
        if self._census is None and (streams := lane.streams(state)):
            self._census = await self._new_census(lease, streams)
        await put_kcl_in_force(app.control, lane.name, lease, self._options.application)
        return _Part(state, lease, self._census)

    async def _new_census(self, lease: Lease, streams: Mapping[str, str]) -> Census:
        app = self._app
        counted = [await self._counted(table, arn, lease) for table, arn in sorted(streams.items())]
        census = Census(counted, self._shares, app.clock, self._patience, app.settings.shard_discovery_seconds)
        await census.begin()
        return census

    async def _counted(self, table: str, arn: str, lease: Lease) -> CountedStream:
        app = self._app
        name = lease_table_name(self._options.application, table)
        await app.tables.make(new_lease_table(name))
        requests = StreamRequests(app.store, arn, table, self._patience)
        shards = Shards(requests, self._claims(arn, lease.token), app.clock, self._patience)
        return CountedStream(table, shards, LeaseTable(app.store, name, app.settings.control_table))

    async def _read(self, part: _Part) -> None:
        """Take ``part``, and those that follow, as long as the streams stay the same and the kcl engine is in force."""
        streams = self._lane.streams(part.state)
        if not streams:
            await self._work(None, part)
            return
        async with KclReader.open(self._named(streams), self._parts()) as reader:
            following: _Part | None = part
            while following is not None:
                await self._work(reader, following)
                following = await self._following(streams)

    async def _following(self, streams: Mapping[str, str]) -> _Part | None:
        if self._lease is None and not await self._patience(self._is_in_force):
            return None
        part = await self._begin()
        return part if self._lane.streams(part.state) == streams else None

    async def _work(self, reader: KclReader | None, part: _Part) -> None:
        """Take ``part`` while the state, and whether this worker holds the lease, stay as they are."""
        self._standing = RuleFence(self._app.clock, self._app.settings.lease_seconds)
        if not await self._changed(part):
            await self._lane.work(_Together(reader, part), part.state, partial(self._until_changed, part))

    async def _until_changed(self, part: _Part) -> None:
        clock = self._app.clock
        while True:
            await clock.sleep(BEAT_SECONDS)
            asked_at = clock.monotonic()
            with suppress(Retryable):
                if await self._changed(part):
                    return
                self._standing.seen(asked_at)
            self._standing.check()

    async def _changed(self, part: _Part) -> bool:
        app = self._app
        if part.lease is not self._lease:
            return True
        if part.lease is None and not await self._is_in_force():
            return True
        found = await load_started_state(app.control, app.mapping)
        return found.acting != part.state.acting or self._lane.streams(found) != self._lane.streams(part.state)

    def _named(self, streams: Mapping[str, str]) -> list[NamedStream]:
        return [NamedStream(table, arn, self._claims(arn)) for table, arn in sorted(streams.items())]

    def _claims(self, arn: str, token: int = 0) -> SharedCheckpoints:
        app = self._app
        return SharedCheckpoints(app.control, arn, app.mapping.hash, app.clock, app.settings.lease_seconds, token)

    def _parts(self) -> ReaderParts:
        app = self._app
        return ReaderParts(
            store=app.store,
            shares=self._shares,
            options=self._options,
            settings=app.settings,
            clock=app.clock,
            trust_seconds=app.settings.lease_seconds,
            standing=lambda: self._standing.check(),
            retried=app.metrics.count_retry,
            applied=partial(app.metrics.observe_apply_lag, self._lane.name),
        )


class _Together:
    """Implements ``Reading``. reader: None when there is nothing to read any more."""

    def __init__(self, reader: KclReader | None, part: _Part) -> None:
        self.lease = part.lease
        self.fence = check_claim
        self._reader = reader
        self._census = part.census

    def taken_over(self) -> int:
        return 0 if self._reader is None else self._reader.taken_over

    def engines(self, streams: Mapping[str, str], sink: Callable[[], ShardSink]) -> list[StreamEngine]:  # noqa: ARG002
        """One engine, and one daemon, for all streams of the lane."""
        return [] if self._reader is None else [KclEngine(self._reader, sink(), self._census)]


async def serve_shared(lane: Lane) -> None:
    """Read ``lane`` together with every other worker that does. Raises what stops the lane."""
    await Sharing(lane).run()


def daemon_options(app: App) -> DaemonOptions:
    """What KCL's daemon is started with, out of the settings. Raises Misconfigured for a property file that cannot be read."""
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
    )
