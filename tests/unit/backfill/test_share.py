"""What a job of an array knows of the others, its share of the limits and the combined speed; and which job it is itself."""

from itertools import pairwise

import pytest

from backfill.options import ArrayJob, array_job
from backfill.records import BackfillBeat, BackfillRecords, combined_beat
from backfill.segments import BackfillRun
from backfill.share import EqualShare
from service.environment import load_settings
from service.errors import Misconfigured
from tests.worlds.backfill_world import World


async def test_those_that_are_left_use_what_the_others_had() -> None:
    """A share grows to the whole when no other worker is alive."""
    world = World()
    run = BackfillRun("r", "hash", 1, 8, 0.0, slices=4)
    shares = [EqualShare(BackfillRecords(world.control, 0, number), run, world.clock) for number in range(4)]
    for number in range(4):
        await _beat(world, run, number)
    now = []
    for _ in range(4):
        await shares[0].update()
        now.append(shares[0].fraction)
    assert now == [1 / 4] * 4
    for number in range(1, 4):
        await _beat(world, run, number, ended=number != 3)
    await shares[0].update()
    assert shares[0].fraction == 1 / 2
    await world.clock.advance(31)  # the third was killed: its last beat is stale
    await _beat(world, run, 0)
    await shares[0].update()
    assert shares[0].fraction == 1


async def test_a_job_begins_with_the_least_share_until_the_others_have_seen_it() -> None:
    world = World()
    run = BackfillRun("r", "hash", 1, 8, 0.0, slices=4)
    share = EqualShare(BackfillRecords(world.control, 0, 0), run, world.clock)
    seen = [share.fraction]
    for _ in range(4):
        await share.update()
        await _beat(world, run, 0)
        seen.append(share.fraction)
    assert seen == [1 / 4, 1 / 4, 1 / 4, 1 / 4, 1.0]
    assert all(was <= now for was, now in pairwise(seen))


async def _beat(world: World, run: BackfillRun, number: int, *, ended: bool = False) -> None:
    beat = BackfillBeat(run.id, world.clock.now(), 10.0, 5.0, ended=ended)
    await BackfillRecords(world.control, 0, number).save_beat(beat)


def test_workers_speeds_add_up_and_the_last_one_says_when_all_is_done() -> None:
    one = BackfillBeat("r", 100.0, 10.0, 5.0, ("target_slow",), {"target_slow": 1.0})
    two = BackfillBeat("r", 101.0, 20.0, 9.0, ("operator_write_limit",), {"target_slow": 2.0})
    killed = BackfillBeat("r", 10.0, 99.0, 99.0)
    seen = combined_beat([one, two, killed], 102.0)
    assert seen is not None
    assert (seen.items_per_second, seen.eta_seconds, seen.ended) == (30.0, 9.0, False)
    assert seen.waiting_for == ("operator_write_limit", "target_slow")
    assert seen.waited_seconds == {"target_slow": 3.0}


def test_a_job_knows_its_place_by_what_batch_tells_its_container(monkeypatch: pytest.MonkeyPatch) -> None:
    assert array_job(load_settings()) is None
    monkeypatch.setenv("AWS_BATCH_JOB_ARRAY_INDEX", "3")
    monkeypatch.setenv("AWS_BATCH_JOB_ARRAY_SIZE", "16")
    monkeypatch.setenv("AWS_BATCH_JOB_ID", "f3b1:3")
    assert array_job(load_settings()) == ArrayJob(3, 16, "f3b1")


@pytest.mark.parametrize(
    ("index", "size", "line"),
    [
        ("16", "16", "AWS_BATCH_JOB_ARRAY_INDEX=16: must be below AWS_BATCH_JOB_ARRAY_SIZE, which is 16"),
        ("0", "", "AWS_BATCH_JOB_ARRAY_INDEX=0: must be below AWS_BATCH_JOB_ARRAY_SIZE, which is not set"),
        ("x", "16", "AWS_BATCH_JOB_ARRAY_INDEX=x: input should be a valid integer"),
    ],
)
def test_an_index_out_of_range_is_one_clear_line(
    monkeypatch: pytest.MonkeyPatch, index: str, size: str, line: str
) -> None:
    monkeypatch.setenv("AWS_BATCH_JOB_ARRAY_INDEX", index)
    monkeypatch.setenv("AWS_BATCH_JOB_ARRAY_SIZE", size)
    with pytest.raises(Misconfigured) as refused:
        load_settings()
    assert str(refused.value).startswith(line)
