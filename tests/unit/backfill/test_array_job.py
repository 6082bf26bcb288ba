"""The backfill as an array job, on tables in memory: which job copies what, which takes over, and what all together may use."""

import asyncio
from dataclasses import replace

import pytest

from backfill.leases import JobLeases
from backfill.records import BackfillRecords, read_run_status
from backfill.report import BackfillReport, SlicesReport
from backfill.slice_copier import SliceCopier
from service.errors import Fenced, Interrupted, Misconfigured, Paused, Refused
from tests.worlds.array_world import Job, begun, segments_done
from tests.worlds.backfill_world import World


async def test_each_job_copies_its_slice_and_the_last_closes_the_run() -> None:
    world, jobs = await begun(4)
    reports = [await job.report(world) for job in [job.begin() for job in jobs]]
    assert world.actual() == world.expected()
    finished = [report for report in reports if isinstance(report, BackfillReport)]
    run = await world.records.run()
    assert run is not None
    assert (run.slices, run.segments, run.finished_at is not None) == (4, 8, True)
    assert finished
    assert all(report.run == run and report.outcomes.copied == 60 for report in finished)
    assert (await world.state()).backfill_finished_at == run.finished_at
    walked = [number for report in reports if isinstance(report, SlicesReport) for number in report.outcomes]
    assert len(walked) == len(set(walked)), "a slice was walked twice"


async def test_the_slice_of_a_lost_job_is_taken_over_by_one_that_has_done_its_own() -> None:
    world, (lost, other) = await begun(2)
    lost.connection.held = "insert_many"
    lost.begin()
    await world.clock.advance(1)
    await lost.kill()
    report = await other.begin().report(world)
    assert isinstance(report, BackfillReport)
    assert world.actual() == world.expected()


async def test_a_job_that_is_started_again_goes_on_where_the_lost_one_stopped() -> None:
    world, jobs = await begun(2, items=40, segments=1)
    for job in jobs:
        job.begin()
    await world.clock.until(lambda: "insert_many" in jobs[0].connection.calls)
    jobs[0].connection.held = "insert_many"
    await world.clock.advance(3)
    saved = await world.segments()
    await jobs[0].kill()
    again = Job(world, 0, 2).begin()
    for job in (again, jobs[1]):
        await job.report(world)
    assert world.actual() == world.expected()
    ended = await world.segments()
    assert sum(segment.outcomes.items for segment in ended.values()) == 40, "what was saved was walked again"
    assert all(ended[number].outcomes.items >= segment.outcomes.items for number, segment in saved.items())


@pytest.mark.parametrize("chunk", range(6))
async def test_a_job_killed_before_any_call_loses_nothing(chunk: int) -> None:
    """Kill one of two jobs right before its n-th call to the tables, for every n; the other one finishes alone."""
    world, jobs = await begun(2, items=9, segments=1, page_items=3)
    for job in [job.begin() for job in jobs]:
        await job.report(world)
    calls = len(jobs[0].connection.calls)
    assert calls > 20
    for nth in range(chunk, calls, 6):
        await _one_killed_before_call(nth)


async def _one_killed_before_call(nth: int) -> None:
    world, jobs = await begun(2, items=9, segments=1, page_items=3)
    for job in jobs:
        job.begin()
    one, task = jobs[0], jobs[0].task
    assert task is not None
    await world.clock.until(lambda: len(one.connection.calls) > nth or task.done())
    await one.kill()
    await jobs[1].report(world)
    await Job(world, 0, 2).begin().report(world)
    assert world.actual() == world.expected(), f"killed before call {nth}"
    run = await world.records.run()
    assert run is not None
    assert run.finished_at is not None, f"killed before call {nth}"


async def test_a_superseded_job_saves_no_segment_over_its_successor() -> None:
    """The token of a slice's progress grows from holder to holder, whichever lease it came with."""
    world, jobs = await begun(2)
    alone = BackfillRecords(world.control, token=1)
    for job in [job.begin() for job in jobs]:
        await job.report(world)
    run = await world.records.run()
    assert run is not None
    segments = await world.records.segments(run)
    with pytest.raises(Fenced):
        await alone.save_segment(0, segments[0])


async def test_the_operators_limit_is_one_for_all_jobs() -> None:
    """400 items of 5 units for each pair are 1,000 units: at 100 units a second they take 10 s, however many jobs write."""
    world, jobs = await begun(4, items=400, segments=1, page_items=100)
    jobs = [Job(world, index, 4, max_write_units=100) for index in range(4)]
    began = world.clock.monotonic()
    for job in [job.begin() for job in jobs]:
        await job.report(world)
    assert world.actual() == world.expected()
    units = 200 * 3 + 200 * 2
    burst = 4 * 75  # each job's first request is sent at once
    assert world.clock.monotonic() - began >= (units - burst) / 100


async def test_one_cost_cap_pauses_all_jobs() -> None:
    """If each job had the whole cap, four jobs would spend it four times."""
    world, _ = await begun(4, items=8_000, segments=1, page_items=100)
    jobs = [Job(world, index, 4, max_cost=0.006, max_write_units=400) for index in range(4)]
    for job in [job.begin() for job in jobs]:
        with pytest.raises(Paused, match=r"paused at --max-cost 0\.006"):
            await job.report(world)
    status = await read_run_status(world.control, world.clock.now())
    assert status is not None
    assert status.state == "stopped"
    cost = jobs[0].cost(status.spent)
    assert 0.006 <= cost < 0.009, "the windows under way are finished"
    for index in range(4):
        await Job(world, index, 4).begin().report(world)
    assert world.actual() == world.expected()


async def test_a_backfill_that_works_alone_and_an_array_refuse_each_other() -> None:
    world, (job, _) = await begun(2)
    job.connection.held = "insert_many"
    job.begin()
    await world.clock.advance(3)
    alone = world.begin()
    await world.clock.until(alone.done, within=600)
    with pytest.raises(Refused, match=r"another backfill is running: .*other jobs are copying 1"):
        await alone
    await job.kill()
    await world.run()
    assert world.actual() == world.expected()


async def test_a_job_waits_a_minute_for_a_backfill_that_works_alone_and_then_says_so() -> None:
    world, (job, _) = await begun(2)
    world.db.before = _scans_hang
    alone = world.begin()
    await world.clock.advance(3)
    job.begin()
    assert job.task is not None
    await world.clock.until(job.task.done, within=90)
    with pytest.raises(Refused, match="another backfill is running, which is no array job"):
        await job.task
    assert not alone.done()
    await world.kill(alone)


async def _scans_hang(operation: str, subject: object) -> None:
    if operation == "scan":
        await asyncio.Event().wait()


async def test_a_job_waits_for_many_siblings_longer_than_for_one() -> None:
    """Hundreds of jobs begin at once, and each opens the run for a moment: none is refused because there are so many."""
    world, (job, _) = await begun(2)
    leases = JobLeases(world.control, "sibling", world.clock, world.settings)
    busy = asyncio.ensure_future(_in_turn_for(leases, world, times=10, seconds=20))
    await world.clock.advance(1)
    job.begin()
    await world.clock.until(busy.done, within=600)
    assert isinstance(await job.report(world), BackfillReport)


async def _in_turn_for(leases: JobLeases, world: World, *, times: int, seconds: float) -> None:
    for _ in range(times):
        async with leases.whole_backfill():
            await world.clock.sleep(seconds)


async def test_again_begins_one_new_run_for_all_jobs_also_for_one_that_is_started_late() -> None:
    world, _ = await begun(2)
    await world.run()
    first = await world.records.run()
    for index in (0, 1, 1):
        job = Job(world, index, 2, again=True)
        await job.begin().report(world)
    run = await world.records.run()
    assert first is not None
    assert run is not None
    assert run.id != first.id
    assert (run.array, run.slices, run.finished_at is not None) == ("array-1", 2, True)


async def test_an_array_of_another_size_goes_on_with_the_slices_it_finds() -> None:
    world, jobs = await begun(4)
    jobs[0].connection.held = "insert_many"
    jobs[0].begin()
    await world.clock.advance(1)
    await jobs[0].kill()
    report = await Job(world, 7, 8).begin().report(world)
    assert isinstance(report, BackfillReport)
    assert "goes on with the 4 slices it was begun with, not 8" in report.to_text()
    assert world.actual() == world.expected()


async def test_more_segments_than_dynamodb_takes_are_refused_before_anything_is_written() -> None:
    world, _ = await begun(1, segments=10_000)
    job = Job(world, 0, 101)
    with pytest.raises(Misconfigured, match="101 jobs of 10000 segments are 1010000"):
        await job.begin().report(world)
    assert await world.records.run() is None


async def test_a_stopped_job_saves_where_it_is_and_says_how_to_go_on() -> None:
    world, (job, other) = await begun(2, items=200)
    job.connection.held = "insert_many"
    job.begin()
    await world.clock.advance(1)
    world.stop.set()
    with pytest.raises(Interrupted, match="stopped on the way"):
        await job.report(world)
    world.stop.clear()
    await other.begin().report(world)
    assert world.actual() == world.expected()


async def test_status_shows_all_jobs_as_one_backfill() -> None:
    world, jobs = await begun(3)
    for job in jobs:
        job.connection.held = "insert_many"
        job.begin()
    await world.clock.advance(5)
    status = await read_run_status(world.control, world.clock.now())
    assert status is not None
    assert (status.state, status.segments_done) == ("running", 0)
    for job in jobs:
        await job.kill()
    status = await read_run_status(world.control, world.clock.now() + 60)
    assert status is not None
    assert status.state == "stopped"


async def test_a_late_word_that_a_slice_is_done_closes_no_run_that_another_job_walks_again() -> None:
    """The interleaving: job 0 has copied its slice, and freezes while its save that the slice is done is on its way; job 1 takes
    the slice over and has read its items; the save arrives. If it closed the run, tombstones could be purged, and job 1 could copy
    the items that it has read after they were deleted."""
    world, (late, other) = await begun(2, items=12, segments=1, page_items=100)
    late.connection.freezes = lambda operation, subject: operation == "write" and '"done":true' in str(subject)
    late.begin()
    await world.clock.until(lambda: late.connection.frozen)
    other.begin()
    await world.clock.until(lambda: segments_done(world) == 1)
    other.connection.held, inserts = "insert_many", other.connection.calls.count("insert_many")
    await world.clock.until(lambda: other.connection.calls.count("insert_many") > inserts)
    late.connection.thawed.set()
    await world.clock.advance(1)
    await late.kill()
    third = await Job(world, 1, 2).begin().report(world)
    assert isinstance(third, SlicesReport)
    assert third.slices_left == 1
    assert (await world.state()).backfill_finished_at is None
    other.connection.released.set()
    assert isinstance(await other.report(world), BackfillReport)
    assert world.actual() == world.expected()


async def test_a_job_that_outlived_its_run_takes_nothing_of_the_next_one() -> None:
    """The records of the next run's segments have replaced those of the job's own run, so they do not count for it."""
    world, (first, _) = await begun(2)
    for index in (0, 1):
        await Job(world, index, 2).begin().report(world)
    run = await world.records.run()
    assert run is not None
    context = first.context
    outlived = SliceCopier(context, JobLeases(context.stores.control, "late", world.clock, context.settings), run)
    await BackfillRecords(world.control, token=99).save_run(replace(run, id="next", finished_at=None))
    assert await outlived.slices_left() == []
    await outlived.copy(0)
    assert outlived.outcomes == {}
