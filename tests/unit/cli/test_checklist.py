"""The checklist of a phase move: done, under way and to come, through a whole first cutover."""

import asyncio
from dataclasses import replace

import pytest

from service.cli.checklist import Checklist
from service.core.phases.moves import COMPLETING, FIRST_DUAL, LATER, STEP_TEXTS, Step
from service.migration.phase.move import MoveRequest, make_move
from tests.worlds.move_world import MoveWorld


def test_each_step_is_to_come_then_under_way_then_done() -> None:
    shown: list[str] = []
    checklist = Checklist(11.4, shown.append)
    checklist.begins("dual", "drain")
    checklist.ends("dual", "drain", 1.25)
    checklist.begins("dual", "observe")
    assert shown[0].splitlines()[:2] == [
        "  ->  drain        forward sync catches up: some seconds",
        "      observe      reverse sync catches up: some seconds",
    ]
    assert shown[1].splitlines()[:2] == [
        "  ok  drain        forward sync catches up: 1.2 s",
        "      observe      reverse sync catches up: some seconds",
    ]
    assert shown[2].splitlines()[1:] == [
        "  ->  observe      reverse sync catches up: some seconds",
        "      arm          reverse sync begins to carry: some seconds",
        "      fence        writes of the former rule end: 11 s",
        "      enter        each worker enters the phase: some seconds",
    ]


@pytest.mark.parametrize("order", [FIRST_DUAL, LATER, COMPLETING])
def test_every_step_says_what_it_waits_for(order: tuple[Step, ...]) -> None:
    assert set(order) <= set(STEP_TEXTS)


async def test_a_move_shows_all_its_steps_in_their_order() -> None:
    shown: list[str] = []
    world = MoveWorld()
    context = replace(world.parts, progress=Checklist(5.0, shown.append))
    async with world.running():
        await world.done(asyncio.create_task(make_move(context, MoveRequest("cutover"))))
    assert len(shown) == 2 * len(FIRST_DUAL)
    assert {len(text.splitlines()) for text in shown} == {len(FIRST_DUAL)}
    last = shown[-1].splitlines()
    assert [line.split()[:2] for line in last] == [["ok", step] for step in FIRST_DUAL]
