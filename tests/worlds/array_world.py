"""Jobs of an array on tables in memory. A test can freeze, hold up or kill each of them by itself."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from backfill.budget import budget_of
from backfill.options import ArrayJob
from backfill.report import BackfillReport, SlicesReport
from backfill.segments import Spent
from backfill.worker import run_array_job
from service.config import Settings
from service.control.table import ControlTable
from tests.fakes.memory import MemoryDynamoDB
from tests.worlds.backfill_world import World

Report = BackfillReport | SlicesReport


class Connection:
    """One job's connection to the tables. After ``cut`` no request arrives, as after kill -9."""

    def __init__(self, db: MemoryDynamoDB) -> None:
        self._db = db
        self._cut = False
        self.calls: list[str] = []
        self.held: str | None = None
        """An operation whose calls wait for ``released``."""
        self.released = asyncio.Event()
        self.freezes: Callable[[str, object], bool] = lambda operation, subject: False
        """Whether the whole job freezes at a call. That call continues once ``thawed`` is set; the job's other calls never do."""
        self.frozen = False
        self.thawed = asyncio.Event()

    def cut(self) -> None:
        self._cut = True

    def __getattr__(self, operation: str) -> Any:
        call = getattr(self._db, operation)

        async def made(*arguments: Any, **named: Any) -> Any:
            self.calls.append(operation)
            self._require_connected()
            await self._pass(operation, arguments[0])
            self._require_connected()
            return await call(*arguments, **named)

        return made

    def _require_connected(self) -> None:
        if self._cut:
            raise ConnectionError("killed")

    async def _pass(self, operation: str, subject: object) -> None:
        if self.held == operation:
            await self.released.wait()
        if self.frozen:
            await asyncio.Event().wait()
        if self.freezes(operation, subject):
            self.frozen = True
            await self.thawed.wait()


class Job:
    """A job of an array, which a test can start and kill."""

    def __init__(self, world: World, index: int, size: int, **options: Any) -> None:
        self.connection = Connection(world.db)
        context = world.context(**{"owner": f"job {index}", **options})
        control = ControlTable(self.connection, "control")  # type: ignore[arg-type]
        self.context = replace(context, stores=replace(context.stores, store=self.connection, control=control))
        self._job = ArrayJob(index, size, "array-1")
        self.task: asyncio.Task[Report] | None = None

    def cost(self, spent: Spent) -> float:
        return budget_of(self.context.settings, self.context.options).cost(spent)

    def begin(self) -> "Job":
        self.task = asyncio.ensure_future(run_array_job(self.context, self._job))
        return self

    async def report(self, world: World, within: float = 600.0) -> Report:
        assert self.task is not None
        await world.clock.until(self.task.done, within=within)
        return self.task.result()

    async def kill(self) -> None:
        assert self.task is not None
        self.connection.cut()
        self.task.cancel()
        await asyncio.gather(self.task, return_exceptions=True)


async def begun(size: int, items: int = 60, **settings: Any) -> tuple[World, list[Job]]:
    """A migration that has started, and the jobs of an array, which have not."""
    world = World(settings=Settings(**{"segments": 2, "page_items": 4, **settings}))
    world.fill(items)
    await world.start()
    return world, [Job(world, index, size) for index in range(size)]


def segments_done(world: World) -> int:
    rows = [row for row in world.db.items("control") if row["pk"]["S"] == "backfill#segments"]
    return sum('"done":true' in row["document"]["S"] for row in rows)
