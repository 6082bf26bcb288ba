"""A lane: one direction of the sync. It waits for its lease, reads its streams, and applies them by the rule in force.

A lane changes its rule only right after its positions are saved: it stops its engines, which save what they have applied, and
starts others.
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
from service.control.gate_settings import DEFAULTS, read_gate_settings
from service.control.leases import Lease
from service.control.state import MigrationState, load_started_state
from service.control.workers import LaneBeat, LaneName, beat_seconds, worker_id
from service.core.phases.acting import Acting
from service.dynamodb.protocol import Fence
from service.errors import Fatal, Fenced, Retryable, TablesplitError
from service.log import get_logger
from service.streams.embedded import EmbeddedEngine
from service.streams.engine import EngineSnapshot, ShardSink, StreamEngine
from service.streams.requests import StreamRequests
from service.streams.retry import StreamRetry
from service.sync.lag import CatchingUp, LowLag
from service.tasks import task_group

RETRY_SECONDS = 15.0
"""How long a lane that has stopped waits before it tries again, in case the operator has removed the cause."""

LIMIT_SECONDS = 15.0
"""Between two looks at the migration's limit of lag."""

Role = Literal["owner", "reader", "standby", "stopped"]


class Reading(Protocol):
    """How a lane reads: alone, under its lease, or together with other workers."""

    lease: Lease | None
    """The lane's lease, if this worker holds it."""
    fence: Fence
    """Checked before every write that the lane's sinks make."""

    def taken_over(self) -> int:
        """How many shards this worker has taken over so far, one by one, from other workers."""

    def engines(self, streams: Mapping[str, str], sink: Callable[[], ShardSink]) -> list[StreamEngine]:
        """The engines that read ``streams`` (ARN by table), each into a sink that ``sink`` makes."""


@dataclass(frozen=True, slots=True)
class Work:
    """What a lane does while one state is in force."""

    engines: Sequence[StreamEngine]
    """Read the lane's streams."""
    others: Sequence[Coroutine[Any, Any, None]] = ()
    """Run beside the engines."""


class Lane(ABC):
    """One process's lane. A failure stops the lane, not its worker's process; ``role`` and ``failure`` show it."""

    name: LaneName
    lease: str

    def __init__(self, app: App, read: "Callable[[Lane], Awaitable[None]] | None" = None) -> None:
        """``read``: how the lane reads until it is cancelled: ``read_alone``, or ``shared_lane.read_shared``."""
        self.app = app
        self.role: Role = "standby"
        self.failure: TablesplitError | None = None
        self.acting: Acting | None = None
        self._read = read or read_alone
        self._engines: Sequence[StreamEngine] = ()
        self._low = LowLag(app.clock, DEFAULTS.gate_lag_seconds)
        self._limit_damaged = False
        self._catching_up = CatchingUp(app.clock)

    @abstractmethod
    async def ready_state(self, lease: Lease | None) -> MigrationState:
        """The state of a migration whose streams this lane can read. Raises what prevents that.

        ``lease``: the lane's, if this worker holds it. A worker without it waits until the one that holds it has prepared the
        lane.
        """

    @abstractmethod
    def streams(self, state: MigrationState) -> dict[str, str]:
        """The ARN of each stream that is read in ``state``, by table; none once the migration is complete."""

    @abstractmethod
    def open(self, reading: Reading, state: MigrationState) -> Work:
        """The work to do while ``state`` is in force."""

    def count(self, outcome: str) -> None:
        """Count the outcome of one of this lane's changes."""
        self.app.metrics.count_write(self.name, outcome)

    def overdue(self) -> int:
        """Tombstones that should have been purged by now."""
        return 0

    async def run(self) -> None:
        """Serve until cancelled. What stops the lane is logged and shown with its remedy; then the lane tries again, as a
        standby."""
        while True:
            try:
                await self._read(self)
            except Fenced as superseded:
                get_logger().warning("lease lost, standing by", lane=self.name, reason=superseded.message)
                self.stand_by()
            except TablesplitError as failure:
                get_logger().error(f"{self.name} sync has stopped", **failure.to_log(), lane=self.name)
                self._leave("stopped", failure)
                await self.app.clock.sleep(RETRY_SECONDS)

    def hold_lease(self, stand_by: Callable[[], None]) -> AbstractAsyncContextManager[Lease]:
        """The lane's lease, once it is free. ``stand_by`` is called whenever another worker is seen to hold it."""
        app = self.app
        return Lease.acquire(app.control, self.lease, worker_id(), app.clock, app.settings, stand_by=stand_by)

    def stand_by(self) -> None:
        """Another worker reads the lane."""
        self._leave("standby", None)

    async def work(self, reading: Reading, state: MigrationState, until: Callable[[], Awaitable[None]]) -> None:
        """Do the work of ``state`` until ``until`` returns. When this returns, the positions of everything that was applied are
        saved."""
        work = self.open(reading, state)
        self._engines = work.engines
        self.role, self.failure, self.acting = "owner" if reading.lease else "reader", None, state.acting
        engines = (engine.run() for engine in work.engines)
        async with task_group() as tasks:
            working = [tasks.create_task(coroutine) for coroutine in (*engines, *work.others, self._follow_limit())]
            await until()
            for task in working:
                task.cancel()
        acting = state.acting
        get_logger().info(
            "lane stops to act by a new state", lane=self.name, phase=acting.phase, rule=acting.rule, epoch=acting.epoch
        )

    async def _follow_limit(self) -> None:
        """Go by the migration's limit of lag, until cancelled."""
        while True:
            with suppress(Retryable):
                self._low.follow(await self._limit())
            await self.app.clock.sleep(LIMIT_SECONDS)

    async def _limit(self) -> float | None:
        """None where it cannot be read: only the gate needs it, which then refuses by itself."""
        try:
            settings = await read_gate_settings(self.app.control)
        except Fatal as damaged:
            if not self._limit_damaged:
                get_logger().error(
                    "lag counts as not low: its limit cannot be read", **damaged.to_log(), lane=self.name
                )
            self._limit_damaged = True
            return None
        self._limit_damaged = False
        return settings.gate_lag_seconds

    def _leave(self, role: Literal["standby", "stopped"], failure: TablesplitError | None) -> None:
        self._engines, self.role, self.failure, self.acting = (), role, failure, None

    def rounds(self) -> int:
        """The rounds of the engine that has made the fewest; 0 while there is none."""
        return min((engine.snapshot().rounds for engine in self._engines), default=0)

    def read_lag(self) -> float | None:
        """Age in seconds of the newest change that was read, in the engine that is furthest behind; None while this process
        does not read."""
        return max((engine.snapshot().read_lag_seconds for engine in self._engines), default=None)

    def beat(self) -> LaneBeat:
        """What this lane reports about itself now."""
        failure = f"{self.failure.message} ({self.failure.remedy})" if self.failure else None
        beat = LaneBeat(self.role, self.acting, outcomes=self.app.metrics.outcomes(self.name), failure=failure)
        snapshots = [engine.snapshot() for engine in self._engines]
        if not snapshots:
            self._low.note(None)
            self._catching_up.note(None)
            return beat
        return self._with_measures(beat, snapshots)

    def _with_measures(self, beat: LaneBeat, snapshots: list[EngineSnapshot]) -> LaneBeat:
        lag = max(snapshot.lag_seconds for snapshot in snapshots)
        rounds = self.rounds()
        return replace(
            beat,
            rounds=rounds,
            shards=sum(snapshot.shards_unfinished for snapshot in snapshots),
            shards_waiting=sum(snapshot.shards_waiting for snapshot in snapshots),
            shards_finished=sum(snapshot.shards_finished for snapshot in snapshots),
            lag_seconds=lag,
            lag_low_since=self._low.note(lag if rounds else None),
            catch_up_seconds=self._catching_up.note(lag if rounds or lag else None),
            retention_headroom_seconds=min(snapshot.retention_headroom_seconds for snapshot in snapshots),
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
        requests = StreamRequests(app.store, arn, table, StreamRetry(app.clock, app.metrics.count_retry))
        positions = Checkpoints(app.control, arn, app.mapping.hash, self._token)
        applied = partial(app.metrics.observe_apply_lag, self._lane.name)
        return EmbeddedEngine(requests, sink, positions, app.settings, applied)


async def read_alone(lane: Lane) -> None:
    """Wait for the lane's lease, and read everything by the state in force. Raises what stops the lane."""
    app = lane.app
    async with lane.hold_lease(lane.stand_by) as lease:
        await put_embedded_in_force(app.control, app.clock, lane.name, lease, app.settings.writer_horizon_seconds)
        while True:
            state = await lane.ready_state(lease)
            await lane.work(Alone(lane, lease), state, partial(_until_changed, app, state.acting))


async def _until_changed(app: App, acting: Acting) -> None:
    while True:
        await app.clock.sleep(beat_seconds(app.settings.heartbeat_seconds))
        with suppress(Retryable):  # if this lasts, the lane loses its lease, and ends
            if (await load_started_state(app.control, app.mapping)).acting != acting:
                return
