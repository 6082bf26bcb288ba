"""Whether repairs and retries may write: not while a phase move is under way, nor while the rule changes."""

from collections.abc import Awaitable, Callable

from service.control.state import MigrationState, load_started_state
from service.control.table import ControlTable
from service.core.mapping.mapping import Mapping
from service.core.phases.acting import Rule
from service.errors import Refused


def require_repairs_allowed(state: MigrationState) -> None:
    """Raises Refused while nothing may be repaired or retried."""
    if state.move is None and state.rule != "entering":
        return
    told = (
        f"a move to {state.move.to} is under way, at {state.move.step}" if state.move else "the rule is being changed"
    )
    raise Refused(
        f"nothing is repaired or retried now: {told}", remedy="wait until it is done: tablesplit status --watch"
    )


def repairs_allowed(control: ControlTable, mapping: Mapping, rule: Rule) -> Callable[[], Awaitable[None]]:
    """Asked before each run of writes by ``rule``: raises Refused as ``require_repairs_allowed`` does, and once another rule
    is in force."""

    async def allowed() -> None:
        state = await load_started_state(control, mapping)
        require_repairs_allowed(state)
        if state.rule != rule:
            raise Refused("changes are applied by another rule than when this began", remedy="run the command again")

    return allowed
