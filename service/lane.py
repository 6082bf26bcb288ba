"""The forward lane: waits for the stream's lease, then reads the old table's stream, applies it and purges tombstones."""

from typing import Literal

from service.app import App
from service.applier import Applier
from service.checkpoints import Checkpoints
from service.consumer import Consumer
from service.errors import Fenced, TablesplitError
from service.identity import worker_id
from service.leases import Lease
from service.log import get_logger
from service.purger import Purger
from service.quarantine import Quarantine
from service.start import SYNC_LEASE, require_same_stream, require_started
from service.streams.embedded import EmbeddedEngine
from service.tasks import task_group
from service.workers import Beat

RETRY_SECONDS = 15.0
"""How long a lane that has stopped waits before it looks whether the operator has mended what stopped it."""


class ForwardLane:
    """One process's forward sync. role and failure say how it stands; a failure stops the lane, not the process."""

    def __init__(self, app: App) -> None:
        self._app = app
        self._engine: EmbeddedEngine | None = None
        self.role: Literal["owner", "standby", "stopped"] = "standby"
        self.failure: TablesplitError | None = None

    async def run(self) -> None:
        """Serve until cancelled. Whatever stops the lane is logged and shown with its remedy; then it tries again, as a standby."""
        while True:
            try:
                await self._serve()
            except Fenced as superseded:
                get_logger().warning("lease lost, standing by", reason=superseded.message)
                self._leave("standby", None)
            except TablesplitError as failure:
                get_logger().error("forward sync has stopped", reason=failure.message, remedy=failure.remedy)
                self._leave("stopped", failure)
                await self._app.clock.sleep(RETRY_SECONDS)

    async def _serve(self) -> None:
        app = self._app
        async with Lease.acquire(
            app.control, SYNC_LEASE, worker_id(), app.clock, app.settings, stand_by=lambda: self._leave("standby", None)
        ) as lease:
            state = await require_started(app)
            await require_same_stream(app, state)
            purger = self._purger(lease)
            consumer = self._consumer(lease, state.generation, purger)
            self._engine = self._reading(lease, state.stream_arn or "", consumer)
            self.role, self.failure = "owner", None
            await _both(self._engine, purger)

    def _purger(self, lease: Lease) -> Purger:
        app = self._app
        return Purger(
            app.store,
            app.control,
            app.mapping,
            app.clock,
            app.settings,
            lease=lease,
            rounds=self.rounds,
            count=app.metrics.count_purge,
        )

    def _consumer(self, lease: Lease, generation: int, purger: Purger) -> Consumer:
        app = self._app
        return Consumer(
            Applier(app.store, fence=lease.check, count=app.metrics.count_change),
            Quarantine(app.control, app.clock),
            app.mapping,
            app.clock,
            generation=generation,
            concurrency=app.settings.sync_concurrency,
            fence=lease.check,
            count=app.metrics.count_change,
            on_tombstone=purger.add,
        )

    def _reading(self, lease: Lease, arn: str, consumer: Consumer) -> EmbeddedEngine:
        app = self._app
        return EmbeddedEngine(
            app.store,
            arn=arn,
            table=app.mapping.old.table,
            sink=consumer,
            positions=Checkpoints(app.control, arn, app.mapping.hash, lease.token),
            settings=app.settings,
            clock=app.clock,
            retried=app.metrics.count_retry,
        )

    def _leave(self, role: Literal["standby", "stopped"], failure: TablesplitError | None) -> None:
        self._engine, self.role, self.failure = None, role, failure

    def rounds(self) -> int:
        """The engine's rounds; 0 while there is no engine."""
        return self._engine.snapshot().rounds if self._engine else 0

    def at_tip(self) -> bool:
        """Whether this process reads the stream and knows of nothing unapplied."""
        seen = self._engine.snapshot() if self._engine else None
        return seen is not None and seen.rounds > 0 and seen.lag_seconds == 0

    def beat(self, number: int) -> Beat:
        """What this worker says of itself now."""
        failure = f"{self.failure.message} ({self.failure.remedy})" if self.failure else None
        if self._engine is None:
            return Beat(number, self._app.clock.now(), self.role, failure=failure)
        seen = self._engine.snapshot()
        return Beat(
            number=number,
            said_at=self._app.clock.now(),
            role=self.role,
            rounds=seen.rounds,
            shards=seen.shards_reading,
            lag_seconds=seen.lag_seconds,
            retention_headroom_seconds=seen.retention_headroom_seconds,
            outcomes=self._app.metrics.forward_outcomes(),
            failure=failure,
        )


async def _both(engine: EmbeddedEngine, purger: Purger) -> None:
    """Run until one fails; its error stops the other."""
    async with task_group() as tasks:
        tasks.create_task(engine.run())
        tasks.create_task(purger.run())
