"""A migration in memory whose phase is moved: workers that only report beats; gate, audit log and hooks as a test sets them."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field, replace
from typing import Any

from service.config import Settings
from service.control.audit import End
from service.control.state import MigrationState, change_state, load_started_state
from service.control.workers import BEAT_SECONDS, Beat, LaneBeat, Workers
from service.core.item.write import Put
from service.core.phases.acting import Acting, Phase
from service.core.phases.gate import Condition, Gate
from service.core.phases.moves import Command, PhaseMove
from service.errors import Refused
from service.migration.completion import finish_v2
from service.migration.phase.move import Moved, MoveRequest, make_move
from service.migration.phase.move_context import MoveContext
from service.migration.phase.steps import Strip
from service.migration.start import create_and_start
from tests.fakes.clocks import VirtualClock
from tests.worlds.start_world import Started

Document = dict[str, Any]


class Log:
    """Stands in for the audit log."""

    def __init__(self) -> None:
        self.entries: list[tuple[str, str, Document]] = []

    async def append(self, action: str, why: str, facts: Document) -> End:
        self.entries.append((action, why, facts))
        return End(len(self.entries), f"hash of {len(self.entries)}")

    @property
    def actions(self) -> list[str]:
        return [action for action, _, _ in self.entries]


class Hooks:
    """Stands in for the hooks; ``veto`` makes the one before a move refuse it."""

    def __init__(self) -> None:
        self.veto: str | None = None
        self.called: list[tuple[str, Document]] = []

    async def before(self, move: Document, status: Document) -> None:
        self.called.append(("before", move))
        if self.veto is not None:
            raise Refused(f"the hook says no: {self.veto}")

    async def after(self, move: Document, status: Document) -> None:
        self.called.append(("after", move))


@dataclass
class Worker:
    """A sync process that only reports beats."""

    name: str
    stuck: Acting | None = None
    """The phase, rule and epoch that it reports, instead of those of the state."""
    silent: bool = False
    """It reports no more beats."""
    behind: bool = False
    rounds: int = 0
    number: int = 0


@dataclass
class MoveWorld:
    """``history``: each phase, rule and step that was persisted, in order."""

    started: Started = field(default_factory=Started)
    workers: list[Worker] = field(default_factory=lambda: [Worker("w1")])
    log: Log = field(default_factory=Log)
    hooks: Hooks = field(default_factory=Hooks)
    closed: set[str] = field(default_factory=set)
    strip: Strip = finish_v2
    history: list[tuple[Phase, str, str | None]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.app = self.started.app
        setattr(self.app, "settings", Settings(control_table="control", move_deadline_seconds=60))  # noqa: B010 - a stand-in
        self.control = self.started.control
        self.clock: VirtualClock = self.started.clock
        self.db = self.started.db

    async def gate(self, _: object, state: MigrationState, move: PhaseMove) -> Gate:
        names = ("quarantine", "gap", "hold")
        return Gate(
            move.to, tuple(Condition(name, 1, 0, name not in self.closed, None, f"mend {name}") for name in names)
        )

    @property
    def parts(self) -> MoveContext:
        async def status() -> Document:
            return {"phase": "as it is"}

        return MoveContext(self.app, "ann", self.log, self.hooks, status, self.strip, self.gate)

    @asynccontextmanager
    async def running(self, **state: Any) -> AsyncIterator[None]:
        """Start the migration, put it into this state, and run its workers for the block."""
        await self.done(asyncio.ensure_future(create_and_start(self.app)))
        await self.set(**{"backfill_finished_at": 1.0, **state})
        self.db.after = self._note
        beats = [asyncio.create_task(self._beat(worker)) for worker in self.workers]
        try:
            yield
        finally:
            for task in beats:
                task.cancel()
            await asyncio.gather(*beats, return_exceptions=True)

    async def set(self, **changes: Any) -> None:
        await change_state(self.control, self.app.mapping, 0.0, lambda was: replace(was, **changes))

    async def state(self) -> MigrationState:
        return await load_started_state(self.control, self.app.mapping)

    async def move(self, command: Command, **more: Any) -> Moved:
        """Run the command to its end."""
        return await self.done(self.start_move(command, **more))

    def start_move(self, command: Command, **more: Any) -> asyncio.Task[Moved]:
        """Start the command."""
        return asyncio.create_task(make_move(self.parts, MoveRequest(command, **more)))

    async def done(self, work: asyncio.Future[Any]) -> Any:
        await self.clock.until(work.done, within=3000.0)
        return await work

    async def killed(self, work: asyncio.Task[Any], when: Callable[[str, object], bool]) -> bool:
        """Whether ``work`` was killed, its next request never sent, once ``when`` held for one of its own."""
        noting, dead = self.db.after, False

        async def die(operation: str, subject: object) -> None:
            nonlocal dead
            assert noting is not None
            await noting(operation, subject)
            if asyncio.current_task() is work:
                dead = dead or when(operation, subject)
                if dead:
                    raise ConnectionError("killed")

        self.db.after = die
        with suppress(ConnectionError):
            await self.done(work)
        self.db.after = noting
        return dead

    async def _beat(self, worker: Worker) -> None:
        while not worker.silent:
            acting = worker.stuck or (await self.state()).acting
            worker.number += 1
            worker.rounds += 0 if worker.behind else 1
            lane = LaneBeat("owner", acting, rounds=worker.rounds)
            await Workers(self.control, self.clock).report(
                worker.name, Beat(worker.number, self.clock.now(), lane, lane)
            )
            await self.clock.sleep(BEAT_SECONDS)

    async def _note(self, operation: str, subject: object) -> None:
        if is_state(subject):
            state = await self.state()
            self.history.append((state.phase, state.rule, state.move.step if state.move else None))


def is_state(subject: object) -> bool:
    """Whether a write is of the migration's own record."""
    return isinstance(subject, Put) and subject.item["pk"] == {"S": "state"}
