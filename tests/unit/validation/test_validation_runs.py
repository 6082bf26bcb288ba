"""A validation as a run on tables in memory: killed, stopped and gone on with, its output, its bounds and its stored report."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from service.errors import Fatal, Fenced, Interrupted, Refused
from service.validation import segment
from service.validation.difference_file import DifferenceFile
from service.validation.records import RunRecords, latest_summary, stored_report
from tests.builders.small_crm import deal, lead, lead_key
from tests.worlds.differences import break_field, kinds
from tests.worlds.validation_world import World


@pytest.mark.parametrize("page", range(1, 9))
async def test_a_run_killed_at_any_page_is_gone_on_with(world: World, page: int, tmp_path: Path) -> None:
    world.copy(*(lead(f"l{n}") for n in range(12)), *(deal(f"d{n}") for n in range(5)))
    for name in ("l1", "l5", "l9"):
        world.edit("leads", lead_key(name), status={"S": "spoilt"})
    whole = (await world.validate(resume="never")).to_json()
    scans = iter(range(1, 1000))

    async def kill(operation: str, subject: object) -> None:
        if operation == "scan" and next(scans) == page:
            raise ConnectionError("killed")

    output = tmp_path / "differences.jsonl"
    world.db.before = kill
    with pytest.raises(ConnectionError):
        await world.validate(output=output)
    world.db.before = None
    document = (await world.validate(output=output)).to_json()
    assert document["resumed"]
    assert (document["counts"], kinds(document)) == (whole["counts"], kinds(whole))
    lines = [json.loads(line) for line in output.read_text().splitlines()]
    assert sorted(line["old_key"]["pk"] for line in lines) == ["LEAD#l1", "LEAD#l5", "LEAD#l9"]


async def test_a_finished_segment_is_not_walked_again(world: World) -> None:
    world.copy(*(lead(f"l{n}") for n in range(12)))
    scanned: list[object] = []

    async def kill(operation: str, subject: object) -> None:
        if operation == "scan":
            scanned.append(subject)
            if subject == "leads":
                raise ConnectionError("killed")

    world.db.before = kill
    for _ in range(2):
        with pytest.raises(ConnectionError):
            await world.validate()
    assert scanned.count("old") == 5


async def test_only_an_unfinished_run_of_the_same_question_is_gone_on_with(world: World) -> None:
    world.copy(*(lead(f"l{n}") for n in range(12)))
    world.stop.set()
    with pytest.raises(Interrupted):
        await world.validate()
    world.stop.clear()
    with pytest.raises(Refused, match="other options or another mapping"):
        await world.validate(resume="require", entity="LEAD")
    resumed = await world.validate(resume="require")
    assert resumed.resumed
    assert "gone on with from the run begun at" in resumed.to_text()
    with pytest.raises(Refused, match="none is unfinished"):
        await world.validate(resume="require")
    assert not (await world.validate()).resumed


async def test_a_stop_ends_the_wait_at_once_and_says_how_to_go_on(world: World) -> None:
    world.copy(lead("a"))
    break_field(world)
    task = asyncio.ensure_future(world.validation(repair=True))
    await world.clock.advance(2.5)
    world.stop.set()
    await world.clock.advance(0)
    with pytest.raises(Interrupted) as stopped:
        await task
    assert stopped.value.remedy == "go on with: tablesplit validate --resume --repair"


async def test_a_second_validation_is_refused_while_one_runs(world: World) -> None:
    world.copy(lead("a"))
    break_field(world)
    task = asyncio.ensure_future(world.validation())
    await world.clock.advance(2.5)
    with pytest.raises(Refused):
        await world.validate()
    assert not (await world.run(task)).equal


async def test_a_superseded_validation_saves_nothing_more(world: World) -> None:
    mine, other = RunRecords(world.control, "run", 1), RunRecords(world.control, "run", 2)
    await mine.save("segment#old#000000", {"done": False})
    await other.save("segment#old#000000", {"done": True})
    with pytest.raises(Fenced):
        await mine.save("segment#old#000000", {"done": False})
    assert await other.load("segment#") == {"old#000000": {"done": True}}


async def test_an_old_unfinished_run_is_gone_on_with_only_when_asked(world: World) -> None:
    world.stop.set()
    with pytest.raises(Interrupted):
        await world.validate()
    world.stop.clear()
    await world.clock.advance(25 * 3600)
    asked = world.validation(resume="require")
    assert (await world.run(asked)).resumed
    world.stop.set()
    with pytest.raises(Interrupted):
        await world.validate()
    world.stop.clear()
    await world.clock.advance(25 * 3600)
    assert not (await world.validate()).resumed


async def test_an_output_file_that_is_not_the_runs_own_is_refused(world: World, tmp_path: Path) -> None:
    output = tmp_path / "differences.jsonl"
    with pytest.raises(Fatal, match="has 0 bytes, but the run to go on with has written 9"):
        DifferenceFile.open(output, 9)


async def test_listed_differences_are_bounded_and_all_are_counted_and_written(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("service.validation.progress.LISTED_DIFFERENCES", 10)
    monkeypatch.setattr(segment, "BATCH_CANDIDATES", 4)
    world.copy(*(lead(f"l{n}") for n in range(30)))
    world.db.tables["leads"].items.clear()
    output = tmp_path / "differences.jsonl"
    document = (await world.validate(output=output)).to_json()
    assert (len(document["differences"]), document["differences_total"]) == (10, 30)
    assert len(output.read_text().splitlines()) == 30


async def test_waiting_candidates_are_bounded(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(segment, "BATCH_CANDIDATES", 4)
    world.copy(*(lead(f"l{n}") for n in range(30)))
    world.db.tables["leads"].items.clear()
    most = 0

    async def measure(operation: str, subject: Any) -> None:
        nonlocal most
        if operation == "get_many":
            most = max(most, len(subject))

    world.db.before = measure
    await world.validate()
    assert most <= 4 + world.settings.page_items - 1


async def test_reads_keep_to_the_read_limit(world: World) -> None:
    world.copy(*(lead(f"l{n}") for n in range(40)))
    began = world.clock.monotonic()
    await world.validate(max_read_units=10, index_sample=0)
    assert world.clock.monotonic() - began > 4 * 40 / 10 - 2


async def test_a_full_disk_ends_the_run_with_one_line(world: World) -> None:
    world.copy(lead("a"))
    break_field(world)
    with pytest.raises(
        Fatal, match=r"^cannot write differences to /dev/full: No space left on device; 0 items compared"
    ):
        await world.validate(output=Path("/dev/full"))


async def test_an_unwritable_output_is_refused_before_anything_is_compared(world: World, tmp_path: Path) -> None:
    with pytest.raises(Fatal, match="nothing was compared"):
        await world.validate(output=tmp_path / "absent" / "file")


async def test_a_finished_run_is_stored_whole(world: World) -> None:
    world.copy(lead("a"))
    break_field(world)
    document = (await world.validate()).to_json()
    assert await latest_summary(world.control) == {
        name: document[name] for name in ("id", "result", "differences_total", "finished_at")
    }
    assert await stored_report(world.control) == document
    assert await stored_report(world.control, document["id"]) == document
    assert await stored_report(world.control, "nothing") is None


async def test_many_differences_are_looked_at_again_a_few_at_a_time(world: World) -> None:
    world.settings = world.settings.model_copy(update={"segments": 1, "page_items": 1000})
    for n in range(250):
        world.put(lead(f"{n:03d}"))
    read: list[int] = []

    async def note(operation: str, subject: object) -> None:
        if operation == "get_many":
            read.append(len(subject))  # type: ignore[arg-type] # the keys

    world.db.before = note
    document = (await world.validate(index_sample=0)).to_json()
    assert document["counts"]["LEAD"]["missing"] == 250
    assert max(read[1:]) == 100  # the first is the page of the comparison itself
