"""The snapshot of the whole migration, and the error in a serving process when it cannot be taken."""

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from service.control.activity import Activities, Seen
from service.control.checkpoints import Checkpoints
from service.control.state import change_state, load_started_state
from service.control.workers import SILENT_SECONDS, Beat, LaneBeat, LaneName
from service.errors import Fatal, Retryable, TablesplitError
from service.migration.start import create_and_start
from service.migration.status.facts import CaughtUp
from service.migration.status.snapshot import RUNNING_SECONDS, take_running_snapshot, take_snapshot
from service.migration.status.status import Status
from service.validation.records import FULL, LATEST, runs
from tests.builders.beats import report_moving
from tests.worlds.start_world import Started

FULL_RUN = {
    "id": "x",
    "result": "equal",
    "differences_total": 0,
    "inverse_failures": 0,
    "started_at": "2023-11-14T22:13:10Z",
    "finished_at": "2023-11-14T22:13:20Z",
}
READING = LaneBeat("owner", None, rounds=5, shards=4, shards_waiting=1, shards_finished=9, lag_seconds=3.0)


@pytest.fixture
async def world() -> Started:
    world = Started()
    await create_and_start(world.app)
    return world


async def say(world: Started, worker: str, lane: LaneBeat, name: LaneName = "forward") -> None:
    """A worker beats; its other lane stands by."""
    beat = replace(Beat(1, world.clock.now()), **{name: lane})
    await report_moving(world.control, world.clock, worker, beat)


async def taken(world: Started) -> Status:
    return await take_snapshot(world.app, caught_up=CaughtUp(True, False))


async def test_a_lane_is_as_its_owner_reports(world: Started) -> None:
    await say(world, "a", replace(READING, catch_up_seconds=7.0))
    lane = (await taken(world)).facts.forward
    assert (lane.shards, lane.shards_waiting, lane.shards_finished) == (4, 1, 9)
    assert (lane.lag_seconds, lane.catch_up_seconds, lane.caught_up, lane.stopped) == (3.0, 7.0, True, False)


@pytest.mark.parametrize(("owned", "stopped"), [(False, True), (True, False)])
async def test_a_stopped_lane_shows_until_another_worker_takes_over(world: Started, owned: bool, stopped: bool) -> None:
    await say(world, "a", LaneBeat("stopped", failure="the stream is gone"), "reverse")
    if owned:
        await say(world, "b", READING, "reverse")
    facts = (await taken(world)).facts
    assert (facts.reverse.stopped, facts.forward.stopped) == (stopped, False)


async def test_a_silent_worker_is_told_apart_from_a_live_one(world: Started) -> None:
    await say(world, "silent", READING)
    await world.clock.advance(SILENT_SECONDS + 1)
    await say(world, "alive", READING)
    assert {worker.name: worker.live for worker in (await taken(world)).facts.workers} == {
        "silent": False,
        "alive": True,
    }


async def test_rogue_writes_are_those_of_the_phase(world: Started) -> None:
    activities = Activities(world.control)
    began = world.clock.now()
    await activities.part("v2").add(Seen(began + 1, {"LEAD": 1}, began))
    await activities.part("v2").add(Seen(began + 2, {"DEAL": 1}, began))
    assert (await taken(world)).to_json()["rogue_writes"] == {"old": 0, "v2": 2}
    await change_state(
        world.control, world.app.mapping, 0.0, lambda was: replace(was, phase="reverse", phase_since=began + 60)
    )
    assert (await taken(world)).to_json()["rogue_writes"] == {"old": 0, "v2": 0}
    await activities.part("v2").add(Seen(began + 61, {"LEAD": 1}, began + 60))
    assert (await taken(world)).to_json()["rogue_writes"] == {"old": 0, "v2": 1}


async def test_the_latest_validation_has_an_age(world: Started) -> None:
    await runs(world.control).save(FULL, FULL_RUN)
    await world.clock.advance(90)
    assert (await taken(world)).to_json()["validation"]["age_seconds"] == pytest.approx(90)


@pytest.mark.parametrize(("rounds", "lag", "caught_up"), [(1, 0.0, True), (0, 0.0, False), (1, 2.0, False)])
async def test_every_serving_process_shows_what_the_owner_last_reported(
    world: Started, rounds: int, lag: float, caught_up: bool
) -> None:
    await say(world, "a", replace(READING, rounds=rounds, lag_seconds=lag))
    facts = (await take_running_snapshot(world.app)).facts
    assert (facts.forward.caught_up, facts.reverse.caught_up) == (caught_up, False)


async def test_no_answer_in_time_is_no_status(world: Started, monkeypatch: pytest.MonkeyPatch) -> None:
    async def hang(*_: object) -> None:
        await asyncio.Event().wait()

    monkeypatch.setattr("service.migration.status.snapshot.RUNNING_SECONDS", 0.01)
    world.db.before = hang
    with pytest.raises(Retryable, match=r"no status within 0\.01 s"):
        await take_running_snapshot(world.app)


def test_a_serving_process_gives_up_before_prometheus_does() -> None:
    text = (Path(__file__).parents[3] / "deploy" / "prometheus" / "prometheus.yml").read_text(encoding="utf-8")
    assert float(yaml.safe_load(text)["global"]["scrape_timeout"].removesuffix("s")) > RUNNING_SECONDS + 0.5


async def test_a_new_and_empty_server_has_no_status(world: Started) -> None:
    del world.db.tables["control"]
    with pytest.raises(TablesplitError):
        await take_running_snapshot(world.app)
    world.db.create_table("control", ("pk", "sk"))
    with pytest.raises(Fatal, match="control table control has lost what was in it"):
        await take_running_snapshot(world.app)


async def test_a_migration_that_another_process_has_just_begun_anew_has_no_status(world: Started) -> None:
    """The control table was emptied under a serving process, and a new `create-tables` has not come to its end."""
    await change_state(
        world.control, world.app.mapping, world.clock.now(), lambda state: replace(state, phase="prepare")
    )
    with pytest.raises(Fatal, match="has lost what was in it"):
        await take_running_snapshot(world.app)


DAY = 24 * 3600.0


async def test_headroom_is_that_of_the_lane_further_behind(world: Started) -> None:
    await say(world, "a", replace(READING, retention_headroom_seconds=80_000.0))
    await say(world, "b", replace(READING, retention_headroom_seconds=70_000.0), "reverse")
    assert (await taken(world)).retention_headroom_seconds == 70_000.0


async def test_headroom_of_a_lane_without_a_reader_shrinks_while_the_other_is_well(world: Started) -> None:
    """By the owners' reports alone it would stay at a day until forward's records are trimmed."""
    await world.clock.advance(20 * 3600)
    await say(world, "a", replace(READING, retention_headroom_seconds=DAY), "reverse")
    assert (await taken(world)).retention_headroom_seconds == pytest.approx(4 * 3600, abs=60)


async def test_a_finished_shard_has_no_headroom_to_lose(world: Started) -> None:
    state = await load_started_state(world.control, world.app.mapping)
    assert state.stream_arn is not None
    checkpoints = Checkpoints(world.control, state.stream_arn, state.mapping_hash)
    for shard_id, position in (await checkpoints.load()).items():
        await checkpoints.save(shard_id, replace(position, state="finished"))
    await world.clock.advance(20 * 3600)
    assert (await taken(world)).retention_headroom_seconds is None


async def test_a_sample_does_not_count_as_the_latest_validation(world: Started) -> None:
    await runs(world.control).save(FULL, {**FULL_RUN, "result": "different", "differences_total": 500})
    await runs(world.control).save(LATEST, FULL_RUN)
    validation = (await taken(world)).facts.validation
    assert validation is not None
    assert (validation.result, validation.differences) == ("different", 500)
