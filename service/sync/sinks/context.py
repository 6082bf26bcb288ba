"""What a sink of the ledger rule works with: its transaction with the ledger, and its own context beside it."""

from collections.abc import Callable
from dataclasses import dataclass

from service.app import App
from service.control.activity import Activities, ActivityRecorder
from service.control.conflicts import Conflicts
from service.control.ledger import Ledger
from service.control.quarantine import Quarantine, QuarantineCache
from service.control.state import MigrationState
from service.control.waiting_changes import WaitingChange
from service.core.phases.acting import Side
from service.dynamodb.protocol import Fence
from service.errors import Poison
from service.sync.sinks.ledger_transaction import LedgerTransaction


@dataclass(frozen=True, slots=True)
class SinkContext:
    """What a sink of the ledger rule keeps about the stream that it reads."""

    quarantine: Quarantine
    quarantined: QuarantineCache
    activity: ActivityRecorder
    generations: dict[str, int]
    """The generation of the stream that is read, by table."""
    count: Callable[[str], None]
    """Called with the outcome of each change."""

    async def put_in_quarantine(self, waiting: WaitingChange, poison: Poison, fence: Fence) -> None:
        """Keep a change that cannot be applied, behind those of its key that wait already."""
        await self.quarantine.add_change(waiting, poison, fence)
        self.quarantined.add(waiting.change.table, waiting.change.key)
        self.count("quarantined")


def ledger_transaction(app: App, state: MigrationState, fence: Fence) -> LedgerTransaction:
    """The transaction of a sink that applies changes by ``state``. ``fence``: of all its writes."""
    return LedgerTransaction(
        app.stores,
        Ledger(app.control, app.clock, app.mapping.old.table, state.epoch),
        Conflicts(app.control),
        fence,
        purge_at_once=state.rule == "ledger",
        retried=app.metrics.count_retry,
    )


def sink_context(
    app: App,
    state: MigrationState,
    side: Side,
    count: Callable[[str], None],
    taken_over: Callable[[], int] = lambda: 0,
) -> SinkContext:
    """The context of a sink that applies the changes of ``side`` by ``state``.

    ``count`` is called with each outcome. ``taken_over``: as ``QuarantineCache`` has it.
    """
    quarantine = Quarantine(app.control, app.clock)
    cache = QuarantineCache(quarantine, app.clock, taken_over)
    return SinkContext(quarantine, cache, activity_recorder(app, state, side), _generations(app, state), count)


def activity_recorder(app: App, state: MigrationState, side: Side) -> ActivityRecorder:
    """The recorder of the application's changes of ``side``."""
    quiet = state.acting.quiet_side == side
    return ActivityRecorder(Activities(app.control), side, app.clock, quiet=quiet, since=state.phase_since)


def _generations(app: App, state: MigrationState) -> dict[str, int]:
    v2 = {table: state.v2_generations[arn] for table, arn in state.v2_streams.items()}
    return v2 if state.stream_arn is None else {**v2, app.mapping.old.table: state.generation}
