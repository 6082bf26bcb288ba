"""A rehearsal's steps: forward, cutover with writers on both sides, finish, rollback, cutover again, tally of writes."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext
from dataclasses import dataclass, field
from typing import Any

from backfill.display import Display
from backfill.options import BackfillOptions
from backfill.report import BackfillReport
from service.app import App, open_app
from service.control.workers import BEAT_SECONDS, BOTH, Workers, worker_id
from service.core.item.wire import Item
from service.core.phases.acting import Side
from service.core.phases.moves import Command
from service.errors import Interrupted
from service.migration.backfill import copy_old_table
from service.migration.status.snapshot import log_status, take_snapshot
from service.migration.status.status import Status
from service.migration.validation import run_validation
from service.rehearsal.application import Application
from service.rehearsal.copies import is_copyable
from service.rehearsal.counted import judge_counting
from service.rehearsal.counting import SIDES, CountingApplication, CountingWriters
from service.rehearsal.final_state import different_keys, logged_changes, old_side, v2_side
from service.rehearsal.moves import TimedMove, move, resolve_conflicts
from service.rehearsal.report import RehearsalReport
from service.rehearsal.tally import tally_writes
from service.rehearsal.write_log import WriteLog
from service.rehearsal.writers import Writer
from service.sync.worker import CATCH_UP_QUESTION_SECONDS, raise_failure, sync_lanes
from service.tasks import task_group
from service.validation.options import ValidationOptions
from service.validation.report import Report

HOPS = 3
"""A change of the old table is applied to v2; that write is carried back to old, if needed; that write is read again. Sync must
catch up with each of the three."""

Say = Callable[[str], None]
"""Prints one line about the progress."""


def lanes_here(app: App) -> AbstractAsyncContextManager[object]:
    """Both lanes in this process."""
    return sync_lanes(app, log_status(app))


@dataclass(frozen=True, slots=True)
class RehearsalPlan:
    """How a rehearsal runs."""

    application: Callable[[], Application]
    """Makes one writer's instance."""

    items: Sequence[Item]
    """Those that every writer starts with."""

    counting: CountingApplication | None = None
    """Makes read-modify-writes and compare-and-sets on items of their own, on both sides in `dual`; None: nothing does."""

    writers: int = 4
    pause_seconds: float = 0.6
    """Of a writer between two writes."""

    mixed_seconds: float = 4.0
    """How long writers are on both sides."""

    validation: ValidationOptions = field(default_factory=ValidationOptions)
    sync: Callable[[App], AbstractAsyncContextManager[object]] = lanes_here
    """Runs both lanes for a block."""

    fault: Callable[[], AbstractAsyncContextManager[None]] = nullcontext
    """What is wrong in the first `dual`, while writers move to v2 one after the other."""

    brief: bool = False
    """It ends in `dual`, with every writer back on the old table."""

    copy_settings: Mapping[str, Any] = field(default_factory=dict)
    """The backfill's settings, where they differ."""

    display: Display | None = None
    """Where the progress of the backfill is shown; None: on stderr."""

    log: WriteLog = field(default_factory=WriteLog)
    """Has every write."""


@dataclass(frozen=True, slots=True)
class Rehearsed:
    """The results of a rehearsal: of its backfill, of its last validation, its last status, and the report."""

    backfill: BackfillReport
    validation: Report
    status: Status
    report: RehearsalReport


class Rehearsal:
    """One run, on loaded and started tables that nothing else uses."""

    def __init__(self, app: App, plan: RehearsalPlan, say: Say, stop: asyncio.Event) -> None:
        self._app = app
        self._plan = plan
        self._say = say
        self._stop = stop
        self._log = plan.log
        self._moves: list[TimedMove] = []
        self._in_flight = 0
        self._counting: CountingWriters | None = None
        models = [item for item in plan.items if is_copyable(app.mapping, item)]
        if plan.counting is not None and models:
            self._counting = CountingWriters(plan.counting, models, app.mapping, app.clock)
        self._writers = [
            Writer(number, plan.application(), plan.items, app.mapping, app.clock, self._log)
            for number in range(plan.writers)
        ]

    async def run(self) -> Rehearsed:
        """Run all steps. Raises Interrupted when ``stop`` is set on the way."""
        try:
            return await self._run()
        except Interrupted:  # what a step says of itself, such as how to resume it, is not so: the tables are deleted
            self._require_not_stopped()
            raise

    async def _run(self) -> Rehearsed:
        async with self._plan.sync(self._app):
            async with self._writing():
                copied = await self._copy()
                await self._cut_over(self._plan.fault())
                await self._move("cutover --finish")
                await self._count("v2")
                await self._let_writers_write()
                await self._move("rollback")
                await self._switch("old")
                if not self._plan.brief:
                    await self._roll_back_to_forward()
                    await self._cut_over()
            return await self._finish(copied)

    async def _count(self, *sides: Side) -> None:
        """Let the counting writers of these sides write, and no others."""
        if self._counting is not None:
            await self._counting.allow(*sides)

    @asynccontextmanager
    async def _writing(self) -> AsyncIterator[None]:
        quiet = asyncio.Event()
        if self._counting is not None:
            await self._counting.create_items()
            await self._counting.allow("old")
        async with task_group() as tasks:
            for writer in self._writers:
                tasks.create_task(writer.run(quiet, self._plan.pause_seconds))
            if self._counting is not None:
                tasks.create_task(self._counting.run(quiet, self._plan.pause_seconds))
            try:
                yield
            finally:
                quiet.set()

    async def _copy(self) -> BackfillReport:
        settings = self._app.settings.model_copy(update=self._plan.copy_settings)
        async with open_app(settings, self._app.mapping) as app:
            copied = await copy_old_table(app, BackfillOptions(owner=worker_id()), self._stop, self._plan.display)
        self._say(f"backfill done: {copied.outcomes.items} items; writers go on while sync catches up")
        await self._catch_up(hops=1)
        self._say("caught up; comparing every item of both sides while writers go on")
        await run_validation(self._app, self._plan.validation, self._stop)
        return copied

    async def _cut_over(self, fault: AbstractAsyncContextManager[None] | None = None) -> None:
        """To `dual`, then writer by writer to v2: writers are on both sides for a while."""
        await self._move("cutover")
        await self._switch("v2", fault)

    async def _roll_back_to_forward(self) -> None:
        await self._move("rollback")
        await self._count("old")
        await self._let_writers_write()

    async def _switch(self, side: Side, fault: AbstractAsyncContextManager[None] | None = None) -> None:
        """Switch the writers one after the other; then wait until every change of the side that they left has been applied."""
        share = self._plan.mixed_seconds / len(self._writers)
        await self._count(*SIDES)
        async with fault or nullcontext():
            for writer in self._writers:
                await writer.switch(side)
                await self._let_writers_write(share)
        await self._copy_with_stamps()
        await self._count()  # a conflict on an item that is written all the time would close the next gate
        await self._catch_up(hops=1)
        resolved = await resolve_conflicts(self._app)
        self._say(f"all writers on {side}; {len(self._log.acknowledged)} writes so far, {resolved} conflicts resolved")

    async def _copy_with_stamps(self) -> None:
        """On both sides, in `dual`: an application that copies an item copies its stamp."""
        if self._counting is not None:
            for side in SIDES:
                await self._counting.copy(side, f"copy-{len(self._moves)}")

    async def _let_writers_write(self, seconds: float | None = None) -> None:
        self._require_not_stopped()
        await self._app.clock.sleep(self._plan.mixed_seconds / 2 if seconds is None else seconds)

    async def _move(self, command: Command) -> None:
        self._require_not_stopped()
        self._count_in_flight()
        made = await move(self._app, command)
        self._count_in_flight()
        self._moves.append(made)
        self._say(made.to_text())

    def _count_in_flight(self) -> None:
        self._in_flight = max(self._in_flight, self._log.in_flight)

    async def _catch_up(self, hops: int = HOPS) -> None:
        """Return once every change that is now in the streams has been applied, and the writes that this caused, carried back.

        hops: 1 leaves the carrying back out.
        """
        workers = Workers(self._app.control, self._app.clock)
        for _ in range(hops):
            while not await workers.caught_up(CATCH_UP_QUESTION_SECONDS, BOTH):
                self._require_not_stopped()
                await raise_failure(self._app)
                await self._app.clock.sleep(BEAT_SECONDS)

    def _require_not_stopped(self) -> None:
        if self._stop.is_set():
            raise Interrupted("stopped on the way: its tables are deleted", remedy="run the command again")

    async def _finish(self, copied: BackfillReport) -> Rehearsed:
        await self._catch_up()
        self._say("writers stopped; comparing both sides and accounting for every write")
        validation = await run_validation(self._app, self._plan.validation, self._stop)
        old, v2 = await old_side(self._app), await v2_side(self._app)
        different = different_keys(self._app.mapping, old, v2)
        tally = tally_writes(self._log.attempts, old, await logged_changes(self._app), different=different)
        report = RehearsalReport(
            moves=tuple(self._moves),
            writes=self._log.counts(),
            tally=tally,
            in_flight=self._in_flight,
            slowest=self._log.slowest_seconds,
            pause=self._log.longest_pause,
            compared=validation.equal,
            counted=judge_counting(self._counting.log, old, v2) if self._counting is not None else None,
        )
        return Rehearsed(copied, validation, await take_snapshot(self._app), report)
