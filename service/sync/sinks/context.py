"""What a sink of the ledger rule works with: its access to the ledger and the tables, and its own context beside it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from service.app import App
from service.clock import Clock
from service.control.activity import Activities, ActivityRecorder
from service.control.conflicts import Conflicts
from service.control.ledger import Ledger
from service.control.quarantine import Quarantine, quarantine_id
from service.control.quarantine_cache import QuarantineCache
from service.control.state import MigrationState
from service.control.stores import Stores
from service.control.table import ControlTable
from service.control.waiting_changes import WaitingChange
from service.control.workers import worker_id
from service.core.item.change import Change
from service.core.item.stamp import stream_version
from service.core.item.wire import Item
from service.core.phases.acting import Side
from service.core.rules.quarantine import Left
from service.core.rules.waiting import WHOLE, Waiting
from service.dynamodb.gathered import GatheredStore
from service.dynamodb.protocol import Fence
from service.errors import Poison
from service.sync.left_quarantine import SayLeft, say_left, say_nothing
from service.sync.sinks.ledger_access import LedgerAccess
from service.sync.stream_search import StreamSearch


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
    left: SayLeft = say_nothing

    def waiting_change(self, change: Change) -> WaitingChange:
        """A change of the stream that is read, as quarantine and the conflict log keep it."""
        return WaitingChange(change, self.generations[change.table])

    def version(self, change: Change) -> str:
        """The version of a change of the stream that is read."""
        return stream_version(self.generations[change.table], change.sequence)

    async def put_in_quarantine(
        self, waiting: WaitingChange, poison: Poison, units: Sequence[str], fence: Fence
    ) -> None:
        """Keep a change of which ``units`` cannot be applied, behind those of its key that wait already."""
        named = () if WHOLE in units else units
        await self.quarantine.add_change(waiting, poison, fence, named)
        self.quarantined.add(waiting.change.table, waiting.change.key)
        self.count("quarantined")

    async def waiting(self, table: str, key: Item) -> Waiting:
        """What waits in quarantine for a key."""
        if not self.quarantined.include(table, key):
            return Waiting()
        key_id = quarantine_id(table, key)
        head = (await self.quarantine.heads_of([key_id])).get(key_id)
        if head is None:
            self.quarantined.discard(table, key)
            return Waiting()
        changes = await self.quarantine.changes(key_id)
        done = {unit: sum(each.version <= since for each in changes) for unit, since in head.since.items()}
        return Waiting(head.units or (WHOLE,), [each.change for each in changes], done)

    async def heal(
        self,
        place: tuple[str, Item],
        units: Sequence[str],
        upto: str,
        waiting: Sequence[str] = (),
        how: Left = "applied",
    ) -> None:
        """Take units of a key, if there are any, out of quarantine. ``place``: its table and the key; ``upto`` and ``waiting``:
        as ``Quarantine.heal`` has them; ``how``: what became of them."""
        table, key = place
        if units and await self.quarantine.heal(table, key, units, upto, waiting):
            self.quarantined.discard(table, key)
            self.left(table, key, how)


class SupersededWorkers:
    """Implements ``Superseded``: after the writer horizon, no worker that held the lane or a shard of it before can write."""

    def __init__(self, clock: Clock, horizon: float, taken_over: Callable[[], int]) -> None:
        """``horizon``: seconds. ``taken_over``: as ``QuarantineCache`` has it."""
        self._clock = clock
        self._horizon = horizon
        self._taken_over = taken_over
        self._taken_over_then = taken_over()
        self._since = clock.monotonic()

    async def silent(self, *, any_worker: bool = False) -> None:
        """Return once the writer horizon has passed since this worker took over; ``any_worker``: since now."""
        if any_worker:
            await self._clock.sleep(self._horizon)
            return
        if self._taken_over() != self._taken_over_then:
            self._taken_over_then, self._since = self._taken_over(), self._clock.monotonic()
        left = self._since + self._horizon - self._clock.monotonic()
        if left > 0:
            await self._clock.sleep(left)


def ledger_access(
    app: App,
    state: MigrationState,
    fence: Fence,
    taken_over: Callable[[], int] = lambda: 0,
    in_flight: set[str] | None = None,
) -> LedgerAccess:
    """What a sink that applies changes by ``state`` reads and writes with: what the keys of a page ask for at once is gathered.

    ``fence``: of all its writes; ``in_flight``: shared by all sinks of a lane.
    """
    gathered = GatheredStore(app.store)
    control = ControlTable(gathered, app.control.table)
    return LedgerAccess(
        Stores(gathered, control, app.mapping, app.clock),
        Ledger(control, app.clock, app.mapping.old.table, state.epoch),
        Conflicts(control),
        fence,
        worker_id(),
        StreamSearch(app, state),
        SupersededWorkers(app.clock, app.settings.writer_horizon_seconds, taken_over),
        purge_at_once=state.rule == "ledger",
        retried=app.metrics.count_retry,
        in_flight=set() if in_flight is None else in_flight,
        shared=app.settings.engine == "kcl",
        both_written=state.phase == "dual",
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
    activity, generations = activity_recorder(app, state, side), _generations(app, state)
    return SinkContext(quarantine, cache, activity, generations, count, say_left(app.metrics))


def activity_recorder(app: App, state: MigrationState, side: Side) -> ActivityRecorder:
    """The recorder of the application's changes of ``side``."""
    quiet = state.acting.quiet_side == side
    return ActivityRecorder(Activities(app.control), side, app.clock, quiet=quiet, since=state.phase_since)


def _generations(app: App, state: MigrationState) -> dict[str, int]:
    v2 = {table: state.v2_generations[arn] for table, arn in state.v2_streams.items()}
    return v2 if state.stream_arn is None else {**v2, app.mapping.old.table: state.generation}
