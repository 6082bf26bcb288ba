"""A lead in conflict between both sides, a migration in dual, and an audit log that a test can read."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from service.control.state import MigrationState, new_state
from service.core.item.wire import Item
from tests.builders.small_crm import MAPPING, lead, lead_key, old_key, v2_of
from tests.worlds.both_ways_world import BothWays

KEY = old_key("LEAD", "a")
V2_WINS = {"company": {"S": "v2 side"}}
OLD_LOST = {"company": {"S": "old side"}}


def state_in_dual(**parts: Any) -> MigrationState:
    """A migration in dual."""
    return replace(new_state(MAPPING, 0.0), **{"phase": "dual", "rule": "ledger", "epoch": 1, **parts})


class AuditNotes(list[tuple[str, str, dict[str, Any]]]):
    """An audit log: the action, reason and facts of each entry."""

    async def __call__(self, action: str, why: str, facts: dict[str, Any]) -> None:
        self.append((action, why, facts))


async def make_conflict(world: BothWays, new: Item | None, v2: Callable[[BothWays], None] | None = None) -> str:
    """Let the application change a lead on old (``new`` None: delete it) and, differently, on v2. Returns the conflict's id."""
    world.put_on_both_sides(lead("a"), v2_of(lead("a")))
    if new is None:
        world.delete(KEY)
    else:
        world.put(new)
    (v2 or (lambda world: world.edit("leads", lead_key("a"), **V2_WINS)))(world)
    await world.carry()
    (name,) = await world.conflicts.heads()
    return name


CHANGED = lead("a", **OLD_LOST)
MERGED = lead("a", company={"S": "both"})
