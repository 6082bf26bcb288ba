"""Catching up, the step between the copy and the comparison."""

import asyncio
from types import SimpleNamespace
from typing import Any, cast

import pytest

from service.control.table import ControlTable
from service.control.workers import BEAT_SECONDS, Beat, LaneBeat, Workers
from service.errors import Interrupted
from service.sync.worker import catch_up
from tests.builders.beats import report_moving
from tests.fakes.clocks import VirtualClock
from tests.fakes.memory import MemoryDynamoDB


class World:
    def __init__(self) -> None:
        self.questions = 0
        self.clock = VirtualClock()
        db = MemoryDynamoDB(before=self._asked)
        db.create_table("control", ("pk", "sk"))
        self.app = cast(Any, SimpleNamespace(clock=self.clock, control=ControlTable(db, "control")))
        self.workers = Workers(self.app.control, self.clock)

    async def _asked(self, operation: str, _: object) -> None:
        self.questions += operation == "query"


async def test_without_an_owner_it_polls_at_the_pace_of_the_beats() -> None:
    world = World()
    stop = asyncio.Event()
    waiting = asyncio.create_task(catch_up(world.app, stop))
    await world.clock.advance(10)
    assert not waiting.done()
    assert world.questions <= 2 * (10 / BEAT_SECONDS + 1)
    stop.set()
    await world.clock.until(waiting.done)
    with pytest.raises(Interrupted, match="stopped while catching up"):
        await waiting


async def test_a_worker_that_has_stopped_ends_the_wait_with_its_reason() -> None:
    world = World()
    beat = Beat(1, world.clock.now(), LaneBeat("stopped", failure="the stream is off (create-tables)"))
    await report_moving(world.app.control, world.clock, "a", beat)
    with pytest.raises(Interrupted, match=r"sync worker a has stopped: the stream is off \(create-tables\)"):
        await catch_up(world.app, asyncio.Event())


async def test_a_worker_that_was_killed_after_it_had_stopped_does_not_end_the_wait() -> None:
    world = World()
    await world.workers.report("killed", Beat(1, world.clock.now(), LaneBeat("stopped", failure="the stream is off")))
    await world.clock.advance(60)
    stop = asyncio.Event()
    waiting = asyncio.create_task(catch_up(world.app, stop))
    await world.clock.advance(10)
    assert not waiting.done()
    stop.set()
    await world.clock.until(waiting.done)
    with pytest.raises(Interrupted, match="stopped while catching up"):
        await waiting
