"""A lane: one direction of the sync. It waits for its lease, reads its streams, and applies them by the rule in force.

A lane changes its rule only right after its positions are saved: it stops its engines, which save what they have applied,
and starts others.
"""

from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, suppress
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Literal, Protocol

from service.app import App
from service.control.checkpoints import Checkpoints
from service.control.engine import put_embedded_in_force
from service.control.leases import Lease
from service.control.state import MigrationState, load_started_state
from service.control.workers import BEAT_SECONDS, LaneBeat, LaneName, worker_id
from service.core.phases.acting import Acting
from service.dynamodb.protocol import Fence
from service.errors import Fenced, Retryable, TablesplitError
from service.log import get_logger
from service.streams.embedded import EmbeddedEngine
from service.streams.engine import EngineSnapshot, ShardSink, StreamEngine
from service.sync.lag import CatchingUp, LowLag
from service.tasks import task_group

RETRY_SECONDS = 15.0
"""How long a lane that has stopped waits before it looks whether the operator has mended what stopped it."""

Role = Literal["owner", "reader", "standby", "stopped"]


class Reading(Protocol):
    """How a lane reads: alone, under its lease, or together with others.

    lease: the lane's, where this worker holds it. fence: of every write that its sinks make. taken_over: how many shards have come
    one by one from other workers.
    """

    lease: Lease | None
    fence: Fence

    def taken_over(self) -> int: ...

    def engines(self, streams: Mapping[str, str], sink: Callable[[], ShardSink]) -> list[StreamEngine]:
        """What reads ``streams`` (ARN by table) into sinks."""


@dataclass(frozen=True, slots=True)
class Work:
    """What a lane does by one state: its engines, and what runs beside them."""

    engines: Sequence[StreamEngine]
    others: Sequence[Coroutine[Any, Any, None]] = ()


class Lane(ABC):
    """One process's lane. role and failure say how it stands; a failure stops the lane, not the process.

    serve: how it reads until cancelled: ``serve_alone``, or ``sharing.serve_shared``.
    """

    name: LaneName
    lease: str

    def __init__(self, app: App, serve: "Callable[[Lane], Awaitable[None]] | None" = None) -> None:
        self.app = app
        self.role: Role = "standby"
        self.failure: TablesplitError | None = None
        self.acting: Acting | None = None
        self._serve = serve or serve_alone
        self._engines: Sequence[StreamEngine] = ()
        self._low = LowLag(app.clock, app.settings.gate_lag_seconds)
        self._catching_up = CatchingUp(app.clock)

    @abstractmethod
    async def ready_state(self, lease: Lease | None) -> MigrationState:
        """The state of a migration whose streams this lane can read. Raises what keeps it from that.

        ``lease``: the lane's. Who has none waits for the one who has.
        """

    @abstractmethod
    def streams(self, state: MigrationState) -> dict[str, str]:
        """The ARN of each stream that is read by ``state``, by table; none once the migration is complete."""

    @abstractmethod
    def open(self, reading: Reading, state: MigrationState) -> Work:
        """The work by ``state``."""

    def count(self, outcome: str) -> None:
        """Count what became of a change of this lane's."""
        self.app.metrics.count_write(self.name, outcome)

    def overdue(self) -> int:
        """Tombstones that should be purged by now."""
        return 0

    async def run(self) -> None:
        """Serve until cancelled. Whatever stops the lane is logged and shown with its remedy; then it tries again, as a standby."""
        while True:
            try:
                await self._serve(self)
            except Fenced as superseded:
                get_logger().warning("lease lost, standing by", lane=self.name, reason=superseded.message)
                self.stand_by()
            except TablesplitError as failure:
                get_logger().error(
                    f"{self.name} sync has stopped", reason=failure.message, remedy=failure.remedy, lane=self.name
                )
                self._leave("stopped", failure)
                await self.app.clock.sleep(RETRY_SECONDS)

    def hold_lease(self, stand_by: Callable[[], None]) -> AbstractAsyncContextManager[Lease]:
        """The lane's lease, once it is free. stand_by: told whenever another is seen to hold it."""
        app = self.app
        return Lease.acquire(app.control, self.lease, worker_id(), app.clock, app.settings, stand_by=stand_by)

    def stand_by(self) -> None:
        """Another worker reads."""
        self._leave("standby", None)

    async def work(self, reading: Reading, state: MigrationState, until: Callable[[], Awaitable[None]]) -> None:
        """Work by ``state`` until ``until`` returns; the positions of all that was applied are saved when this does."""
        work = self.open(reading, state)
        self._engines = work.engines
        self.role, self.failure, self.acting = "owner" if reading.lease else "reader", None, state.acting
        async with task_group() as tasks:
            working = [tasks.create_task(one) for one in (*(engine.run() for engine in work.engines), *work.others)]
            await until()
            for task in working:
                task.cancel()
        get_logger().info("rule changes", lane=self.name, was=str(state.acting))

    def _leave(self, role: Literal["standby", "stopped"], failure: TablesplitError | None) -> None:
        self._engines, self.role, self.failure, self.acting = (), role, failure, None

    def rounds(self) -> int:
        """The rounds of the engine that has made the fewest; 0 while there is none."""
        return min((engine.snapshot().rounds for engine in self._engines), default=0)

    def read_lag(self) -> float | None:
        """Age in seconds of the newest change read, where that is furthest behind; None while this process does not read."""
        return max((engine.snapshot().read_lag_seconds for engine in self._engines), default=None)

    def beat(self) -> LaneBeat:
        """What this lane says of itself now."""
        failure = f"{self.failure.message} ({self.failure.remedy})" if self.failure else None
        said = LaneBeat(self.role, self.acting, outcomes=self.app.metrics.outcomes(self.name), failure=failure)
        seen = [engine.snapshot() for engine in self._engines]
        if not seen:
            self._low.note(None)
            self._catching_up.note(None)
            return said
        return self._measured(said, seen)

    def _measured(self, said: LaneBeat, seen: list[EngineSnapshot]) -> LaneBeat:
        lag = max(one.lag_seconds for one in seen)
        rounds = self.rounds()
        return replace(
            said,
            rounds=rounds,
            shards=sum(one.shards_reading for one in seen),
            shards_waiting=sum(one.shards_waiting for one in seen),
            shards_finished=sum(one.shards_finished for one in seen),
            lag_seconds=lag,
            lag_low_since=self._low.note(lag if rounds else None),
            catch_up_seconds=self._catching_up.note(lag if rounds or lag else None),
            retention_headroom_seconds=min(one.retention_headroom_seconds for one in seen),
            tombstones_overdue=self.overdue(),
        )


class Alone:
    """Implements ``Reading``: this worker reads everything, under the lane's lease, with the embedded engine."""

    def __init__(self, lane: Lane, lease: Lease) -> None:
        self.lease: Lease | None = lease
        self.fence: Fence = lease.check
        self._lane = lane
        self._token = lease.token

    def taken_over(self) -> int:
        """None ever: a lane comes as a whole."""
        return 0

    def engines(self, streams: Mapping[str, str], sink: Callable[[], ShardSink]) -> list[StreamEngine]:
        """An engine for each stream; its positions are saved under the lease."""
        return [self._engine(table, arn, sink()) for table, arn in sorted(streams.items())]

    def _engine(self, table: str, arn: str, sink: ShardSink) -> StreamEngine:
        app = self._lane.app
        return EmbeddedEngine(
            app.store,
            arn=arn,
            table=table,
            sink=sink,
            positions=Checkpoints(app.control, arn, app.mapping.hash, self._token),
            settings=app.settings,
            clock=app.clock,
            retried=app.metrics.count_retry,
            applied=partial(app.metrics.observe_apply_lag, self._lane.name),
        )


async def serve_alone(lane: Lane) -> None:
    """Wait for the lane's lease, and read everything by the state in force. Raises what stops the lane."""
    app = lane.app
    async with lane.hold_lease(lane.stand_by) as lease:
        await put_embedded_in_force(app.control, app.clock, lane.name, lease, app.settings.writer_horizon_seconds)
        while True:
            state = await lane.ready_state(lease)
            await lane.work(Alone(lane, lease), state, partial(_until_changed, app, state.acting))


async def _until_changed(app: App, acting: Acting) -> None:
    while True:
        await app.clock.sleep(BEAT_SECONDS)
        with suppress(Retryable):  # the lease ends the lane when this lasts
            if (await load_started_state(app.control, app.mapping)).acting != acting:
                return
