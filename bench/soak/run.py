"""The course of a soak: the backfill, then stretches of trouble with a phase move between two of them, then the judgement."""

import asyncio
import random
import time
from collections import Counter
from collections.abc import Callable
from functools import partial
from pathlib import Path

from bench.soak.application import SoakApplication
from bench.soak.moves import Moves
from bench.soak.plan import KINDS, Done, Kind, Plan
from bench.soak.proxy import Faults, fault_proxy
from bench.soak.site import Site, open_site
from bench.soak.verdict import Verdict, judged
from bench.soak.waits import holds_within, until
from bench.soak.workers import Workers
from service.control.workers import BOTH
from service.control.workers import Workers as Beats
from service.core.phases.acting import Phase, Side
from service.migration.validation import run_validation
from service.rehearsal.run import HOPS
from service.tasks import task_group
from service.validation.options import ValidationOptions

Say = Callable[[str], None]

PATIENCE_SECONDS = 4.0
"""How long to wait for a process to get to its failpoint, before another is killed or paused at random."""

FAULT_SECONDS = 3.0
"""How long to wait for a request that a fault is meant for."""

SECONDS_FOR_EACH: dict[Kind, float] = {"kill": 20.0, "pause": 20.0, "fault": 10.0}
"""A stretch ends after these, whatever has been made."""

CATCH_UP_SECONDS = 600.0
QUESTION_SECONDS = 30.0
SAY_SECONDS = 5.0

CYCLE: tuple[tuple[Phase, tuple[str, ...], tuple[Side, ...], tuple[Side, ...]], ...] = (
    ("dual", ("cutover",), ("old",), ("old", "v2")),
    ("reverse", ("cutover", "--finish"), ("v2",), ("v2",)),
    ("dual", ("rollback",), ("v2",), ("v2", "old")),
    ("forward", ("rollback",), ("old",), ("old",)),
)
"""The phase, the command that leads to it, the sides that the application uses from right before the move on, and after it."""


class Soak:
    """One run."""

    def __init__(self, plan: Plan, say: Say) -> None:
        self.plan = plan
        self.done = Done()
        self._say = say
        self._rng = random.Random(plan.seed)
        self._faults = Faults(self._rng, self._note_fault)
        self._begun = time.monotonic()

    @property
    def seconds(self) -> float:
        """Since it began."""
        return time.monotonic() - self._begun

    async def run(self, server: str, folder: Path) -> Verdict:
        """Run all of it. Raises StuckError when something does not end in its time."""
        async with (
            fault_proxy(server, self._faults) as proxy,
            open_site(server, proxy, folder, self.plan.lease) as site,
        ):
            application = SoakApplication(site.app)
            workers = Workers(site, self.done, self._rng)
            try:
                async with task_group() as tasks:
                    beside = [tasks.create_task(work) for work in (workers.watch(), self._keep_saying(application))]
                    equal = await self._course(site, application, workers)
                    for task in beside:
                        task.cancel()
                await workers.stop()
            finally:
                workers.end()
            return await judged(site.app, application, equal=equal)

    async def _course(self, site: Site, application: SoakApplication, workers: Workers) -> bool:
        """Everything up to the end of the writers; returns whether the validation found both sides equal."""
        moves = Moves(site, self.done, self._rng)
        async with application.writing():
            await moves.migrate(self.plan.kills)
            await self._catch_up(site, hops=1)
            await run_validation(site.app, ValidationOptions(), asyncio.Event())
            await self._cycles(site, application, workers, moves)
            await application.allow_bad(False)
        await self._catch_up(site)
        return (await run_validation(site.app, ValidationOptions(), asyncio.Event())).equal

    async def _cycles(self, site: Site, application: SoakApplication, workers: Workers, moves: Moves) -> None:
        steps = [step for _ in range(self.plan.cycles) for step in CYCLE]
        stretches = list(self.plan.stretches())
        for (phase, command, before, after), stretch in zip(steps, stretches, strict=False):
            await self._stretch(workers, application, stretch)
            if self._is_late:
                return
            self._say(f"{' '.join(command)}: to {phase}")
            carried = partial(self._catch_up, site, hops=1)
            await application.use(before, carried)
            await moves.move(phase, *command)
            await application.use(after, carried)
            if phase == "dual":
                await application.copy("old", "v2")
            workers.phase = phase
        await self._stretch(workers, application, stretches[-1])

    @property
    def _is_late(self) -> bool:
        return self.seconds > self.plan.minutes * 60

    async def _stretch(self, workers: Workers, application: SoakApplication, target: Counter[Kind]) -> None:
        """Make trouble until there has been as much as ``target`` says, or the time for it is over."""
        left = {kind: target[kind] - self.done.of(kind) for kind in KINDS}
        deadline = time.monotonic() + 30 + sum(SECONDS_FOR_EACH[kind] * max(0, left[kind]) for kind in KINDS)
        workers.armed = True
        await application.allow_bad(workers.phase == "dual")
        while time.monotonic() < deadline and not self._is_late:
            left = {kind: max(0, target[kind] - self.done.of(kind)) for kind in KINDS}
            if not any(left.values()):
                break
            workers.pause_share = left["pause"] / max(1, left["pause"] + left["kill"])
            await self._make(self._rng.choices(KINDS, weights=[left[kind] for kind in KINDS])[0], workers)
        workers.armed = False
        self._faults.for_any()
        await application.allow_bad(False)

    async def _make(self, kind: Kind, workers: Workers) -> None:
        """One kill, pause or fault."""
        before = self.done.of(kind)
        if kind == "fault":
            self._faults.order_any()
            if not await holds_within(FAULT_SECONDS, lambda: self._faults.waiting == 0):
                self._faults.for_any()
        elif not await holds_within(self._rng.uniform(0, PATIENCE_SECONDS), lambda: self.done.of(kind) > before):
            (workers.kill_one if kind == "kill" else workers.pause_one)()

    async def _catch_up(self, site: Site, hops: int = HOPS) -> None:
        """Wait until both lanes have applied everything, and what they wrote by that. ``hops``: 1 leaves the latter out."""
        beats = Beats(site.app.control, site.app.clock)
        for _ in range(hops):
            await until(CATCH_UP_SECONDS, "both lanes to catch up", lambda: beats.caught_up(QUESTION_SECONDS, BOTH))

    def _note_fault(self, fault: str, operation: str) -> None:
        self.done.faults[fault, operation] += 1

    async def _keep_saying(self, application: SoakApplication) -> None:
        while True:
            writes = len(application.log.attempts) + len(application.counting.log.operations)
            self._say(f"{self.done.to_text(self.plan)}; {writes} writes")
            await asyncio.sleep(SAY_SECONDS)
