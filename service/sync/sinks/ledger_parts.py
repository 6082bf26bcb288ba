"""The parts of a direction of the ledger rule, put together for one lane, or for an operator's retry."""

from collections.abc import Callable

from service.app import App
from service.control.activity import Activities, Watch
from service.control.conflicts import Conflicts
from service.control.ledger import Ledger
from service.control.quarantine import Quarantine
from service.control.state import MigrationState
from service.control.suspects import Suspects
from service.core.phases.acting import Side
from service.dynamodb.protocol import Fence
from service.sync.sinks.ledger_sink import LedgerParts


def ledger_parts(
    app: App,
    state: MigrationState,
    fence: Fence,
    side: Side,
    count: Callable[[str], None],
    taken_over: Callable[[], int] = lambda: 0,
) -> LedgerParts:
    """Parts that apply the changes of ``side`` by ``state``. count: told each outcome. taken_over: as ``Suspects`` has it."""
    quarantine = Quarantine(app.control, app.clock)
    return LedgerParts(
        store=app.store,
        ledger=Ledger(app.control, app.clock, app.mapping.old.table, state.epoch),
        quarantine=quarantine,
        suspects=Suspects(quarantine, app.clock, taken_over),
        conflicts=Conflicts(app.control),
        mapping=app.mapping,
        clock=app.clock,
        watch=watch(app, state, side),
        generations=_generations(app, state),
        purge_at_once=state.rule == "ledger",
        fence=fence,
        count=count,
        retried=app.metrics.count_retry,
    )


def watch(app: App, state: MigrationState, side: Side) -> Watch:
    """What notes the application's changes of ``side``."""
    quiet = state.acting.quiet_side == side
    return Watch(Activities(app.control), side, app.clock, quiet=quiet, since=state.phase_since)


def _generations(app: App, state: MigrationState) -> dict[str, int]:
    """The number of the stream that is read, by table."""
    v2 = {table: state.v2_generations[arn] for table, arn in state.v2_streams.items()}
    return v2 if state.stream_arn is None else {**v2, app.mapping.old.table: state.generation}
