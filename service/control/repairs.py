"""Repairs under way, and whether one may begin.

A repair writes what it has read earlier. So it registers before it reads, and the purger keeps every tombstone until it is
over.
"""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from secrets import token_hex

from pydantic import ConfigDict
from pydantic.dataclasses import dataclass

from service.clock import Clock
from service.control.state import MigrationState, load_started_state
from service.control.table import ControlTable
from service.core.mapping.mapping import Mapping
from service.core.phases.acting import Phase, Rule
from service.dynamodb.protocol import Fence
from service.errors import Fenced, Refused

PARTITION = "repair"


@dataclass(frozen=True, slots=True, config=ConfigDict(extra="ignore", defer_build=True))
class Repair:
    """A repair under way."""

    owner: str
    """The worker that repairs."""
    started_at: float | None = None
    """By its clock, epoch seconds; for people."""


@asynccontextmanager
async def registered(
    control: ControlTable,
    clock: Clock,
    owner: str,
    seconds: float,
    *,
    permitted: Callable[[], Awaitable[None]] | None = None,
) -> AsyncIterator[Fence]:
    """Register a repair for the block, and remove it at the end; yield the fence for its writes.

    ``permitted`` is called once the repair is registered, and raises when nothing may be repaired now. In this order either the
    repair sees a phase move, or the move sees the repair and waits. ``seconds`` after the start the fence raises Fenced. A
    request that is still on its way then is covered by the writer horizon, after which the purger no longer waits for a repair
    whose worker died.
    """
    records = control.records(PARTITION, Repair)
    name = token_hex(8)
    deadline = clock.monotonic() + seconds

    def fence() -> None:
        if clock.monotonic() >= deadline:
            raise Fenced(f"repair of {owner} took longer than {seconds:g} s", remedy="run the command again")

    await records.save(name, Repair(owner, clock.now()))
    try:
        if permitted is not None:
            await permitted()
        yield fence
    finally:
        await records.forget(name)


_Seen = tuple[float, float]
"""When a repair has begun at the earliest, and when it was first seen."""


class RepairWatch:
    """The repairs under way as one observer sees them, on its own monotonic clock."""

    def __init__(self, control: ControlTable, clock: Clock, horizon_seconds: float) -> None:
        self._records = control.records(PARTITION, Repair)
        self._clock = clock
        self._horizon = horizon_seconds
        self._looked_at = float("-inf")
        self._seen: dict[str, _Seen] = {}

    async def oldest_age(self) -> float | None:
        """Seconds since the oldest repair that can still write may have begun; None: there is none.

        A repair that is seen for the first time may have begun right after the previous look. A repair whose worker died counts
        for the writer horizon, and is removed then.
        """
        asked_at = self._clock.monotonic()
        repairs = await self._records.all()
        seen_at = self._clock.monotonic()
        self._seen = {name: self._seen.get(name) or (self._looked_at, seen_at) for name in repairs}
        self._looked_at = asked_at
        starts = []
        for name, (earliest, first_seen) in self._seen.items():
            if seen_at < first_seen + self._horizon:
                starts.append(earliest)
            else:
                await self._records.forget(name)
        return seen_at - min(starts) if starts else None


def require_repairs_allowed(state: MigrationState) -> None:
    """Raises Refused while nothing may be repaired or retried."""
    if state.move is None and state.rule != "entering":
        return
    reason = (
        f"a move to {state.move.to} is under way, at {state.move.step}" if state.move else "the rule is being changed"
    )
    raise Refused(
        f"nothing is repaired or retried now: {reason}", remedy="wait until it is done: tablesplit status --watch"
    )


def repairs_allowed(
    control: ControlTable, mapping: Mapping, rule: Rule, phase: Phase | None = None
) -> Callable[[], Awaitable[None]]:
    """A check to call before each run of writes by ``rule``. It raises Refused as ``require_repairs_allowed`` does, and once
    another rule is in force, or another phase than ``phase`` (None: any)."""

    async def allowed() -> None:
        state = await load_started_state(control, mapping)
        require_repairs_allowed(state)
        if state.rule != rule:
            raise Refused("changes are applied by another rule than when this began", remedy="run the command again")
        if phase not in (None, state.phase):
            raise Refused(f"this began in another phase than {state.phase}", remedy="run the command again")

    return allowed
