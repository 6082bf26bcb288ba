"""Workers' beats, and whether everything has been applied, asked from another machine."""

import asyncio
import itertools
from collections.abc import Iterable

import pytest

from service.control.table import ControlTable
from service.control.workers import (
    BEAT_SECONDS,
    SILENT_SECONDS,
    WATCH_SECONDS,
    Beat,
    LaneBeat,
    Workers,
    beat_seconds,
    owner_among,
)
from tests.builders.beats import report_moving
from tests.fakes.clocks import VirtualClock
from tests.fakes.memory import MemoryDynamoDB


def control_table() -> ControlTable:
    db = MemoryDynamoDB()
    db.create_table("control", ("pk", "sk"))
    return ControlTable(db, "control")


def workers(clock: VirtualClock) -> Workers:
    return Workers(control_table(), clock)


async def answer(beats: Iterable[tuple[str, int, int]], within: float = 12.0) -> bool:
    """The answer to ``caught_up`` while these beats (worker, number, rounds) are reported, one a second, the first before it is
    called."""
    clock = VirtualClock()
    all_workers = workers(clock)
    reports = list(beats)
    name, number, rounds = reports[0]
    reports.insert(0, (name, number - 1, rounds))  # from then on the worker is seen to be alive

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
    control = control_table()
    await report_moving(control, clock, "a", Beat(1, clock.now(), LaneBeat("owner")))
    all_workers = Workers(control, clock)
    assert (owner_among(await all_workers.live(), "forward") or ("", None))[0] == "a"
    await clock.advance(SILENT_SECONDS + 1)
    assert owner_among(await all_workers.live(), "forward") is None


@pytest.mark.parametrize("wrong_by", [-7200.0, 7200.0])
async def test_of_two_owners_the_one_that_moved_last_counts_whatever_its_clock_says(wrong_by: float) -> None:
    clock = VirtualClock()
    control = control_table()
    await report_moving(control, clock, "a", Beat(1, clock.now() + wrong_by, LaneBeat("owner")))
    await report_moving(control, clock, "b", Beat(1, clock.now(), LaneBeat("owner")))
    assert (owner_among(await Workers(control, clock).live(), "forward") or ("", None))[0] == "b"


@pytest.mark.parametrize("wrong_by", [-7200.0, -120.0, 0.0, 120.0, 7200.0])
async def test_a_worker_is_alive_while_its_beat_moves_whatever_its_clock_says(wrong_by: float) -> None:
    clock = VirtualClock()
    control = control_table()

    async def beat() -> None:
        for number in itertools.count():
            await Workers(control, clock).report("a", Beat(number, clock.now() + wrong_by, LaneBeat("owner")))
            await clock.sleep(BEAT_SECONDS)

    beating = asyncio.create_task(beat())
    await clock.advance(1)
    asked = asyncio.create_task(Workers(control, clock).live())
    await clock.until(asked.done, within=2 * BEAT_SECONDS)
    assert list(asked.result()) == ["a"]
    beating.cancel()
    await clock.advance(SILENT_SECONDS)
    assert await Workers(control, clock).live() == {}


@pytest.mark.parametrize("said", [0.0, 120.0])
async def test_a_beat_that_is_not_seen_moving_is_of_nobody_alive(said: float) -> None:
    """Also if it was just said, or is said to be of a later time."""
    clock = VirtualClock()
    control = control_table()
    await Workers(control, clock).report("killed", Beat(1, clock.now() + said, LaneBeat("owner")))
    asked = asyncio.create_task(Workers(control, clock).live(SILENT_SECONDS))
    await clock.advance(SILENT_SECONDS - 1)
    assert not asked.done()
    await clock.advance(2)
    assert asked.result() == {}


async def test_a_beat_that_has_moved_since_a_look_long_ago_is_watched_again() -> None:
    clock = VirtualClock()
    control = control_table()
    all_workers = Workers(control, clock)
    await all_workers.report("a", Beat(1, clock.now()))
    assert await all_workers.live(0.0) == {}
    await clock.advance(60)
    await all_workers.report("a", Beat(2, clock.now()))  # and then it was killed
    asked = asyncio.create_task(all_workers.live())
    await clock.advance(WATCH_SECONDS + 1)
    assert asked.result() == {}


async def test_a_worker_that_leaves_takes_the_long_silent_with_it() -> None:
    clock = VirtualClock()
    all_workers = workers(clock)
    await all_workers.report("killed", Beat(1, clock.now(), LaneBeat("owner")))
    await clock.advance(4000)
    await all_workers.report("a", Beat(1, clock.now(), LaneBeat("owner")))
    await all_workers.report("b", Beat(1, clock.now(), LaneBeat("standby")))
    await all_workers.leave("b")
    assert list(await all_workers.watch(0.0)) == ["a"]


@pytest.mark.parametrize(("heartbeat", "beat"), [(2.0, BEAT_SECONDS), (1.0, 0.5), (0.5, 0.25)])
def test_a_worker_with_short_leases_reports_twice_in_each_heartbeat(heartbeat: float, beat: float) -> None:
    assert beat_seconds(heartbeat) == beat
