"""A lane: one direction of the sync. It waits for its lease, reads its streams, and applies them by the rule in force.

A lane changes its rule only right after its positions are saved: it stops its engines, which save what they have applied,
and starts others.
"""

from abc import ABC, abstractmethod
from collections.abc import Coroutine, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import partial
from typing import Any, Literal

from service.app import App
from service.checkpoints import Checkpoints
from service.core.acting import Acting
from service.errors import Fenced, Retryable, TablesplitError
from service.identity import worker_id
from service.lag import CatchingUp, LowLag
from service.leases import Lease
from service.log import get_logger
from service.migration_state import MigrationState, load_started_state
from service.streams.embedded import EmbeddedEngine
from service.streams.engine import EngineSnapshot, ShardSink
from service.tasks import task_group
from service.workers import BEAT_SECONDS, LaneBeat, LaneName

RETRY_SECONDS = 15.0
"""How long a lane that has stopped waits before it looks whether the operator has mended what stopped it."""


class Lane(ABC):
    """One process's lane. role and failure say how it stands; a failure stops the lane, not the process."""

    name: LaneName
    lease: str

    def __init__(self, app: App) -> None:
        self.app = app
        self.role: Literal["owner", "standby", "stopped"] = "standby"
        self.failure: TablesplitError | None = None
        self.acting: Acting | None = None
        self._engines: Sequence[EmbeddedEngine] = ()
        self._low = LowLag(app.clock, app.settings.gate_lag_seconds)
        self._catching_up = CatchingUp(app.clock)

    @abstractmethod
    async def ready_state(self, lease: Lease) -> MigrationState:
        """The state of a migration whose streams this lane can read. Raises what keeps it from that."""

    @abstractmethod
    def open(self, lease: Lease, state: MigrationState) -> tuple[list[EmbeddedEngine], list[Coroutine[Any, Any, None]]]:
        """The engines that read by ``state``, and what runs beside them."""

    def count(self, outcome: str) -> None:
        """Count what became of a change of this lane's."""
        self.app.metrics.count_write(self.name, outcome)

    def overdue(self) -> int:
        """Tombstones that should be purged by now."""
        return 0

    def reading(self, lease: Lease, table: str, arn: str, sink: ShardSink) -> EmbeddedEngine:
        """An engine that reads the stream ``arn`` of ``table`` into ``sink``; its positions are saved under ``lease``."""
        app = self.app
        return EmbeddedEngine(
            app.store,
            arn=arn,
            table=table,
            sink=sink,
            positions=Checkpoints(app.control, arn, app.mapping.hash, lease.token),
            settings=app.settings,
            clock=app.clock,
            retried=app.metrics.count_retry,
            applied=partial(app.metrics.observe_apply_lag, self.name),
        )

    async def run(self) -> None:
        """Serve until cancelled. Whatever stops the lane is logged and shown with its remedy; then it tries again, as a standby."""
        while True:
            try:
                await self._serve()
            except Fenced as superseded:
                get_logger().warning("lease lost, standing by", lane=self.name, reason=superseded.message)
                self._leave("standby", None)
            except TablesplitError as failure:
                get_logger().error(
                    f"{self.name} sync has stopped", reason=failure.message, remedy=failure.remedy, lane=self.name
                )
                self._leave("stopped", failure)
                await self.app.clock.sleep(RETRY_SECONDS)

    async def _serve(self) -> None:
        app = self.app
        async with Lease.acquire(
            app.control, self.lease, worker_id(), app.clock, app.settings, stand_by=lambda: self._leave("standby", None)
        ) as lease:
            while True:
                await self._serve_by(lease, await self.ready_state(lease))

    async def _serve_by(self, lease: Lease, state: MigrationState) -> None:
        """Work by ``state`` until another is in force; the positions of all that was applied are saved when this returns."""
        engines, others = self.open(lease, state)
        self._engines = engines
        self.role, self.failure, self.acting = "owner", None, state.acting
        async with task_group() as tasks:
            working = [tasks.create_task(work) for work in (*(engine.run() for engine in engines), *others)]
            await self._until_changed(state.acting)
            for task in working:
                task.cancel()
        get_logger().info("rule changes", lane=self.name, was=str(state.acting))

    async def _until_changed(self, acting: Acting) -> None:
        while True:
            await self.app.clock.sleep(BEAT_SECONDS)
            with suppress(Retryable):  # the lease ends the lane when this lasts
                if (await load_started_state(self.app.control, self.app.mapping)).acting != acting:
                    return

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
