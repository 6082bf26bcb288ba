"""Workers' beats, and whether everything has been applied, asked from another machine."""

import asyncio
from collections.abc import Iterable

import pytest

from service.control.table import ControlTable
from service.control.workers import SILENT_SECONDS, Beat, LaneBeat, Workers, owner_among
from tests.fakes.clocks import VirtualClock
from tests.fakes.memory import MemoryDynamoDB


def workers(clock: VirtualClock) -> Workers:
    db = MemoryDynamoDB()
    db.create_table("control", ("pk", "sk"))
    return Workers(ControlTable(db, "control"), clock)


async def answer(beats: Iterable[tuple[str, int, int]], within: float = 12.0) -> bool:
    """The answer to ``caught_up`` while these beats (worker, number, rounds) are reported, one a second, the first before it is
    called."""
    clock = VirtualClock()
    all_workers = workers(clock)
    reports = list(beats)

    async def report(name: str, number: int, rounds: int) -> None:
        await all_workers.report(name, Beat(number, clock.now(), LaneBeat("owner", rounds=rounds)))

    await report(*reports[0])
    asked = asyncio.create_task(all_workers.caught_up(within))
    for beat in reports[1:]:
        await clock.advance(1.0)
        await report(*beat)
    await clock.until(asked.done, within=within + 10)
    return await asked


@pytest.mark.parametrize(
    ("beats", "caught_up"),
    [
        ([("a", 1, 5), ("a", 2, 6), ("a", 3, 7), ("a", 4, 9)], True),
        ([("a", 1, 5), ("a", 2, 7), ("a", 3, 9), ("a", 4, 9)], False),  # rounds that may have begun before the question
        ([("a", 1, 5), ("a", 2, 6), ("a", 3, 7), ("a", 4, 8)], False),  # one round may have been under way
        ([("a", 1, 5), ("a", 2, 6), ("b", 9, 7), ("b", 10, 9)], False),  # another owner's rounds are another count
    ],
)
async def test_caught_up_needs_two_beats_and_then_two_rounds_of_the_same_owner(
    beats: list[tuple[str, int, int]], caught_up: bool
) -> None:
    assert await answer(beats) is caught_up


async def test_nobody_who_reads_the_stream_means_not_caught_up() -> None:
    assert await workers(VirtualClock()).caught_up(12.0) is False


async def test_a_silent_owner_is_no_owner() -> None:
    clock = VirtualClock()
    all_workers = workers(clock)
    await all_workers.report("a", Beat(1, clock.now(), LaneBeat("owner")))
    assert (owner_among(await all_workers.live(), "forward") or ("", None))[0] == "a"
    await clock.advance(SILENT_SECONDS + 1)
    assert owner_among(await all_workers.live(), "forward") is None


async def test_a_worker_that_leaves_takes_the_long_silent_with_it() -> None:
    clock = VirtualClock()
    all_workers = workers(clock)
    await all_workers.report("killed", Beat(1, clock.now(), LaneBeat("owner")))
    await clock.advance(4000)
    await all_workers.report("a", Beat(1, clock.now(), LaneBeat("owner")))
    await all_workers.report("b", Beat(1, clock.now(), LaneBeat("standby")))
    await all_workers.leave("b")
    assert list(await all_workers.all()) == ["a"]
