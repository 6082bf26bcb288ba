"""A rehearsal's steps: forward, cutover while writers are on both sides, finish, rollback, cutover again, judgement."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from backfill.options import BackfillOptions
from backfill.report import BackfillReport
from service.app import App
from service.control.workers import BEAT_SECONDS, BOTH, Workers, worker_id
from service.core.item.wire import Item
from service.core.phases.acting import Side
from service.core.phases.moves import Command
from service.errors import Interrupted
from service.migration.backfill import copy_old_table
from service.migration.status.snapshot import take_snapshot
from service.migration.status.status import Status
from service.migration.validation import run_validation
from service.rehearsal.application import Application
from service.rehearsal.ends import logged_changes, old_side, v2_side
from service.rehearsal.judgement import judge
from service.rehearsal.moves import TimedMove, move, resolve_conflicts
from service.rehearsal.report import RehearsalReport
from service.rehearsal.write_log import WriteLog
from service.rehearsal.writers import Writer
from service.sync.worker import CATCH_UP_SECONDS, raise_failure, sync_lanes
from service.tasks import task_group
from service.validation.options import ValidationOptions
from service.validation.report import Report

HOPS = 3
"""An old change is applied to v2, that write is carried back where needed, and that one is read: each is caught up with."""

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class RehearsalPlan:
    """How a rehearsal goes. application: makes one writer's instance. pause_seconds: of a writer between two
    writes; mixed_seconds: how long writers stay on both sides."""

    application: Callable[[], Application]
    items: Sequence[Item]
    writers: int = 4
    pause_seconds: float = 0.6
    mixed_seconds: float = 4.0
    validation: ValidationOptions = field(default_factory=ValidationOptions)


@dataclass(frozen=True, slots=True)
class Rehearsed:
    """What it all came to."""

    backfill: BackfillReport
    validation: Report
    status: Status
    report: RehearsalReport


class Rehearsal:
    """One run, on tables that nobody else uses and that are loaded and started."""

    def __init__(self, app: App, plan: RehearsalPlan, say: Say, stop: asyncio.Event) -> None:
        self._app = app
        self._plan = plan
        self._say = say
        self._stop = stop
        self._log = WriteLog()
        self._moves: list[TimedMove] = []
        self._in_flight = 0
        self._writers = [
            Writer(number, plan.application(), plan.items, app.mapping, app.clock, self._log)
            for number in range(plan.writers)
        ]

    async def run(self) -> Rehearsed:
        """All of it. Raises Interrupted when it is stopped on the way."""
        async with sync_lanes(self._app):
            async with self._writing():
                copied = await self._copy()
                await self._over()
                await self._move("cutover --finish")
                await self._apart()
                await self._back()
                await self._over()
            return await self._judged(copied)

    @asynccontextmanager
    async def _writing(self) -> AsyncIterator[None]:
        quiet = asyncio.Event()
        async with task_group() as tasks:
            for writer in self._writers:
                tasks.create_task(writer.run(quiet, self._plan.pause_seconds))
            try:
                yield
            finally:
                quiet.set()

    async def _copy(self) -> BackfillReport:
        copied = await copy_old_table(self._app, BackfillOptions(owner=worker_id()), self._stop)
        self._say(f"backfill done: {copied.outcomes.items} items; writers go on while sync catches up")
        await self._catch_up(hops=1)
        self._say("caught up; comparing every item of both sides while writers go on")
        await run_validation(self._app, self._plan.validation, self._stop)
        return copied

    async def _over(self) -> None:
        """Into `dual`, then instance by instance to v2: writers are on both sides for a while."""
        await self._move("cutover")
        await self._turn("v2")

    async def _back(self) -> None:
        await self._move("rollback")
        await self._turn("old")
        await self._move("rollback")
        await self._apart()

    async def _turn(self, side: Side) -> None:
        """Turn the instances over one after the other; then nothing that the side left behind has got is on its way."""
        share = self._plan.mixed_seconds / len(self._writers)
        for writer in self._writers:
            await writer.turn(side)
            await self._apart(share)
        await self._catch_up(hops=1)
        found = await resolve_conflicts(self._app)
        self._say(f"all writers on {side}; {len(self._log.acknowledged)} writes so far, {found} conflicts resolved")

    async def _apart(self, seconds: float | None = None) -> None:
        """Let the writers write."""
        self._require_going()
        await self._app.clock.sleep(self._plan.mixed_seconds / 2 if seconds is None else seconds)

    async def _move(self, command: Command) -> None:
        self._require_going()
        self._count_in_flight()
        made = await move(self._app, command)
        self._count_in_flight()
        self._moves.append(made)
        self._say(made.to_text())

    def _count_in_flight(self) -> None:
        self._in_flight = max(self._in_flight, self._log.in_flight)

    async def _catch_up(self, hops: int = HOPS) -> None:
        """Return once every change that was in the streams has been applied, and what came of it carried back.

        hops: 1 leaves out the latter.
        """
        workers = Workers(self._app.control, self._app.clock)
        for _ in range(hops):
            while not await workers.caught_up(CATCH_UP_SECONDS, BOTH):
                self._require_going()
                await raise_failure(self._app)
                await self._app.clock.sleep(BEAT_SECONDS)

    def _require_going(self) -> None:
        if self._stop.is_set():
            raise Interrupted("stopped on the way: what it made is deleted", remedy="run the command again")

    async def _judged(self, copied: BackfillReport) -> Rehearsed:
        await self._catch_up()
        self._say("writers stopped; comparing both sides and judging every write")
        validation = await run_validation(self._app, self._plan.validation, self._stop)
        ledger = judge(
            self._log.attempts,
            await old_side(self._app),
            await v2_side(self._app),
            await logged_changes(self._app),
        )
        report = RehearsalReport(
            moves=tuple(self._moves),
            writes=self._log.counts(),
            ledger=ledger,
            in_flight=self._in_flight,
            slowest=self._log.slowest_seconds,
            pause=self._log.longest_pause,
            compared=validation.equal,
        )
        return Rehearsed(copied, validation, await take_snapshot(self._app), report)
