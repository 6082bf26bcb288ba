"""Validation on tables in memory: what it finds, what it does not count as a difference, and what it repairs."""

import asyncio
import json
import random
from pathlib import Path
from typing import Any

import pytest

from service.control.quarantine import Quarantine
from service.core.item.write import Put
from service.errors import Fatal, Fenced, Interrupted, Misconfigured, Poison, Refused
from service.validation import segment
from service.validation.difference_file import DifferenceFile
from service.validation.records import RunRecords, latest_summary, stored_report
from tests.builders.small_crm import deal, lead, lead_key, old_key
from tests.worlds.validation_world import World

ZERO = dict.fromkeys(("old", "v2", "equal", "missing", "extra", "mismatch", "quarantined", "tombstones"), 0)


@pytest.fixture
def world() -> World:
    return World()


def kinds(document: dict[str, Any]) -> list[tuple[str, str, list[str]]]:
    return sorted((entry["kind"], entry["old_key"]["pk"], entry["fields"]) for entry in document["differences"])


async def test_equal_tables_are_equal_and_every_item_is_counted_once(world: World) -> None:
    world.copy(*(lead(f"l{n}", status={"S": "won"}) for n in range(20)), *(deal(f"d{n}") for n in range(7)))
    document = (await world.validate()).to_json()
    assert document["result"] == "equal"
    assert document["counts"] == {
        "LEAD": ZERO | {"old": 20, "v2": 20, "equal": 20},
        "DEAL": ZERO | {"old": 7, "v2": 7, "equal": 7},
    }
    assert document["index_checks"]["LEAD"]["GSI2"] == {
        "checked": 20,
        "found": 20,
        "missing": 0,
        "unchecked": 0,
    }
    assert document["index_checks"]["DEAL"].keys() == {"GSI1"}
    assert (document["differences"], document["inverse_failures"]) == ([], 0)


def repair_under_way(world: World) -> bool:
    return any(item["pk"] == {"S": "repair"} for item in world.db.items("control"))


def break_missing(world: World) -> None:
    world.db.tables["leads"].items.clear()


def break_field(world: World) -> None:
    world.edit("leads", lead_key("a"), status={"S": "lost"})


def break_type(world: World) -> None:
    world.edit("leads", lead_key("a"), followers={"S": "85"})


def break_index_attribute(world: World) -> None:
    world.edit("leads", lead_key("a"), GSI1PK={"S": "STATUS#lost"})


def break_extra_attribute(world: World) -> None:
    world.edit("leads", lead_key("a"), invented={"S": "x"})


def drop_stamp(world: World) -> None:
    world.edit("leads", lead_key("a"), _sync=None)


def damage_stamp(world: World) -> None:
    world.edit("leads", lead_key("a"), _sync={"S": "?"})


def drop_residue(world: World) -> None:
    stamp = dict((world.db.item("leads", lead_key("a")) or {})["_sync"]["M"])
    world.edit("leads", lead_key("a"), _sync={"M": {name: stamp[name] for name in stamp if name not in ("r", "a")}})


def add_extra(world: World) -> None:
    world.edit(
        "leads",
        lead_key("b"),
        **{**(world.db.item("leads", lead_key("a")) or {}), "id": {"S": "b"}, **lead_key("b")},
    )


def leave_at_former_key(world: World) -> None:
    item = world.db.item("leads", lead_key("a")) or {}
    world.edit("leads", lead_key("a", "2023-01"), **{**item, **lead_key("a", "2023-01")})


def resurrect(world: World) -> None:
    item = world.db.item("leads", lead_key("a")) or {}
    world.delete(old_key("LEAD", "a"))
    world.sync()
    world.edit("leads", lead_key("a"), **item)


KINDS = [
    (break_missing, "missing", [], "LEAD#a"),
    (break_field, "mismatch", ["status"], "LEAD#a"),
    (break_type, "mismatch", ["followers"], "LEAD#a"),
    (break_index_attribute, "mismatch", ["GSI1PK"], "LEAD#a"),
    (break_extra_attribute, "mismatch", ["invented"], "LEAD#a"),
    (drop_stamp, "mismatch", ["_sync"], "LEAD#a"),
    (damage_stamp, "mismatch", ["_sync"], "LEAD#a"),
    (drop_residue, "mismatch", ["_sync"], "LEAD#a"),
    (add_extra, "extra", [], "LEAD#b"),
    (leave_at_former_key, "extra", [], "LEAD#a"),
    (resurrect, "extra", [], "LEAD#a"),
]


@pytest.mark.parametrize(("spoil", "kind", "fields", "key"), KINDS, ids=lambda value: getattr(value, "__name__", ""))
async def test_each_kind_of_difference_is_found_exactly(
    world: World, spoil: Any, kind: str, fields: list[str], key: str
) -> None:
    world.copy(lead("a", followers={"S": " 85 "}), deal("d"))
    spoil(world)
    document = (await world.validate()).to_json()
    assert document["result"] == "different"
    assert kinds(document) == [(kind, key, fields)]
    assert document["counts"]["LEAD"][kind] == 1
    assert document["counts"]["DEAL"] == ZERO | {"old": 1, "v2": 1, "equal": 1}
    assert document["inverse_failures"] == (1 if spoil is drop_residue else 0)


@pytest.mark.parametrize(("spoil", "kind", "fields", "key"), KINDS, ids=lambda value: getattr(value, "__name__", ""))
async def test_each_kind_of_difference_is_repaired(
    world: World, spoil: Any, kind: str, fields: list[str], key: str
) -> None:
    world.copy(lead("a", followers={"S": " 85 "}), deal("d"))
    spoil(world)
    document = (await world.validate(repair=True)).to_json()
    assert (document["result"], document["repaired"]) == ("equal", 1)
    again = (await world.validate()).to_json()
    assert (again["result"], again["counts"]) == ("equal", document["counts"])


async def test_an_item_that_an_index_does_not_give_is_not_found_there(world: World) -> None:
    world.copy(lead("a"))
    break_index_attribute(world)
    checks = (await world.validate()).to_json()["index_checks"]["LEAD"]
    assert checks["GSI1"] == {"checked": 1, "found": 0, "missing": 1, "unchecked": 0}
    assert checks["GSI2"] == {"checked": 1, "found": 1, "missing": 0, "unchecked": 0}


async def test_numbers_are_equal_by_value_and_sets_in_any_order(world: World) -> None:
    world.copy(deal("d", value={"N": "1"}, tags={"SS": ["a", "b"]}))
    world.db.tables["deals"].items = {
        key: item.replace(b'{"N":"1"}', b'{"N":"1.0"}').replace(b'["a","b"]', b'["b","a"]')
        for key, item in world.db.tables["deals"].items.items()
    }
    assert (await world.validate()).equal


async def test_what_cannot_be_mapped_is_quarantined_and_a_difference(world: World) -> None:
    world.db.apply(Put("old", {**old_key("LEAD", "x"), "entity_type": {"S": "LEAD"}}))
    world.db.apply(Put("old", {**old_key("ROBOT", "y"), "entity_type": {"S": "ROBOT"}, "id": {"S": "y"}}))
    document = (await world.validate(repair=True)).to_json()
    assert document["counts"]["LEAD"] == ZERO | {"old": 1, "quarantined": 1}
    assert document["counts"]["unknown"] == ZERO | {"old": 1, "quarantined": 1}
    assert [difference[:2] for difference in kinds(document)] == [("quarantined", "LEAD#x"), ("quarantined", "ROBOT#y")]


async def test_a_key_in_quarantine_is_left_alone_and_counts_as_quarantined(world: World) -> None:
    world.copy(lead("a"), lead("b"))
    world.db.tables["leads"].items.clear()
    poison = Poison("refused", reason="refused_by_dynamodb")
    await Quarantine(world.control, world.clock).add_copy("old", old_key("LEAD", "a"), poison)
    document = (await world.validate(repair=True)).to_json()
    assert document["counts"]["LEAD"] == ZERO | {"old": 2, "v2": 1, "equal": 1, "quarantined": 1}
    assert kinds(document) == [("quarantined", "LEAD#a", [])]


async def test_a_deleted_item_leaves_a_tombstone_that_is_no_difference(world: World) -> None:
    world.copy(lead("a"), lead("b"))
    world.delete(old_key("LEAD", "a"))
    world.sync()
    document = (await world.validate()).to_json()
    assert document["counts"]["LEAD"] == ZERO | {"old": 1, "v2": 1, "equal": 1, "tombstones": 1}
    assert document["result"] == "equal"


@pytest.mark.parametrize("seed", range(60))
async def test_writes_in_flight_are_no_difference(world: World, seed: int) -> None:
    """Writers put, update, delete, re-create and move items at every request; the sync is behind by any number of changes."""
    chance = random.Random(seed)
    names = [f"n{n}" for n in range(12)]
    world.copy(*(lead(name) for name in names))
    writes = iter(range(80))

    async def in_between(operation: str, subject: object) -> None:
        if subject == "control" or chance.random() < 0.3:
            return
        if next(writes, None) is not None:
            name = chance.choice(names)
            if chance.random() < 0.25:
                world.delete(old_key("LEAD", name))
            else:
                month = chance.choice(("2024-05", "2024-05", "2023-01"))
                world.put(lead(name, created=f"{month}-01", status={"S": chance.choice(("new", "won", "lost"))}))
        world.sync(chance.randrange(3))

    world.db.before = in_between
    report = await world.validate(settled=True)
    assert report.to_json()["differences"] == []
    assert report.equal


@pytest.mark.parametrize("seed", range(20))
async def test_a_real_difference_is_found_while_writes_are_in_flight(world: World, seed: int) -> None:
    chance = random.Random(seed)
    world.copy(*(lead(f"n{n}") for n in range(12)), lead("broken"))
    world.edit("leads", lead_key("broken"), status={"S": "spoilt"})
    writes = iter(range(60))

    async def in_between(operation: str, subject: object) -> None:
        if next(writes, None) is not None:
            world.put(lead(f"n{chance.randrange(12)}", status={"S": f"s{chance.randrange(4)}"}))
        world.sync(chance.randrange(3))

    world.db.before = in_between
    assert kinds((await world.validate(settled=True)).to_json()) == [("mismatch", "LEAD#broken", ["status"])]


async def test_old_goes_back_to_an_earlier_image_between_the_looks(world: World) -> None:
    """A, B, A on the old side while the sync is still at B: both readings see A over B, and it is no difference."""
    before, after = lead("a", status={"S": "A"}), lead("a", status={"S": "B"})
    world.copy(before)
    world.put(after)
    world.sync()
    world.put(before)

    async def trailing() -> None:
        world.sync()
        world.put(after)
        world.sync()
        world.put(before)

    world.settled = trailing  # type: ignore[method-assign] # a sync that is always one change behind
    document = (await world.validate(settled=True)).to_json()
    assert {entry["kind"] for entry in document["differences"]} == {"not-yet"}


async def test_old_goes_back_between_the_two_reads_of_a_look(world: World) -> None:
    """Both sides have X; B is written and applied between the two reads of the first reading, X again before the second reading.
    If old were read first, both readings would see X, then B's transform."""
    world.copy(lead("a", status={"S": "W"}))
    x, b = lead("a", status={"S": "X"}), lead("a", status={"S": "B"})
    world.put(x)
    reads = iter(range(1, 1000))

    async def in_between(operation: str, subject: object) -> None:
        read = next(reads) if operation == "get_many" else 0
        if read == 2:
            world.sync()
        elif read == 3:
            world.put(b)
            world.sync()
        elif read == 4:
            world.put(x)

    world.db.before = in_between
    report = await world.validate(settled=True)
    assert report.to_json()["differences"] == []
    assert len(world.changes) == 3


async def test_an_item_written_again_while_the_sync_is_late_is_looked_at_again(world: World) -> None:
    """Without a check of the sync, and with a lag longer than the wait, nothing is concluded while writes go on."""
    world.copy(lead("a"))
    world.put(lead("a", status={"S": "one"}))
    reads = iter(range(1, 1000))

    async def in_between(operation: str, subject: object) -> None:
        read = next(reads) if operation == "get_many" else 0
        if read == 4:
            world.put(lead("a", status={"S": "two"}))
        elif read == 6:
            world.sync()

    world.db.before = in_between
    assert (await world.validate()).equal


async def test_an_item_that_moves_while_it_is_looked_at_is_followed_to_its_new_key(world: World) -> None:
    world.copy(lead("a"))
    world.db.tables["leads"].items.clear()
    reads = iter(range(1, 1000))

    async def in_between(operation: str, subject: object) -> None:
        if operation == "get_many" and next(reads) == 3:
            world.put(lead("a", created="2023-01-01"))
            world.sync()

    world.db.before = in_between
    document = (await world.validate(settled=True)).to_json()
    assert document["counts"]["LEAD"] == ZERO | {"old": 1, "v2": 1, "equal": 1, "tombstones": 1}


async def test_a_key_that_keeps_changing_is_reported_as_not_yet(world: World) -> None:
    world.copy(lead("a"), lead("b"))
    ticks = iter(range(10_000))

    async def in_between(operation: str, subject: object) -> None:
        world.put(lead("a", status={"S": f"s{next(ticks)}"}))
        world.sync(len(world.changes) - world.applied - 2)

    world.db.before = in_between
    document = (await world.validate(settled=True)).to_json()
    assert kinds(document) == [("not-yet", "LEAD#a", ["GSI1PK", "status"])]
    assert (document["result"], document["not_yet"]) == ("different", 1)
    assert document["counts"]["LEAD"] == ZERO | {"old": 2, "v2": 2, "equal": 1}


async def test_an_item_created_while_a_segment_is_walked_is_not_missing(world: World) -> None:
    world.put(lead("a"))
    document = (await world.validate(settled=True)).to_json()
    assert document["counts"]["LEAD"] == ZERO | {"old": 1, "v2": 1, "equal": 1}


async def test_a_change_between_the_two_reads_of_a_repair_is_not_overwritten(world: World) -> None:
    """One side is read, a change is written and applied, the other side is read: the write must be refused."""
    world.copy(lead("a", status={"S": "one"}))
    break_field(world)
    reads: list[object] = []

    async def in_between(operation: str, subject: object) -> None:
        if operation == "get_many" and repair_under_way(world):
            reads.append(subject)
            if len(reads) == 2:
                world.put(lead("a", status={"S": "two"}))
                world.sync()

    world.db.before = in_between
    report = await world.validate(settled=True, repair=True)
    assert len(world.changes) == 1
    assert report.equal
    assert (world.db.item("leads", lead_key("a")) or {})["status"] == {"S": "two"}


async def test_a_repair_stops_writing_when_its_time_is_over(world: World) -> None:
    world.copy(lead("a"))
    break_field(world)

    async def slow(operation: str, subject: object) -> None:
        if operation == "get_many":
            await world.clock.sleep(7)

    world.db.before = slow
    report = await world.validate(repair=True)
    assert (report.equal, report.to_json()["repaired"]) == (False, 0)


async def test_a_repair_is_registered_before_its_first_read_and_removed_after_its_last_write(
    world: World,
) -> None:
    world.copy(lead("a"))
    break_field(world)
    seen: list[tuple[str, bool]] = []

    async def watch(operation: str, subject: object) -> None:
        if operation == "get_many" or (isinstance(subject, Put) and subject.table == "leads"):
            seen.append((operation, repair_under_way(world)))

    world.db.before = watch
    await world.validate(repair=True)
    written = seen.index(("write", True))
    assert seen[written - 2 : written] == [("get_many", True)] * 2
    assert not repair_under_way(world)


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


async def test_index_checks_of_a_large_table_look_at_a_sample(world: World) -> None:
    world.copy(*(lead(f"l{n}") for n in range(200)))
    checks = (await world.validate(index_sample=40)).to_json()["index_checks"]["LEAD"]
    assert 20 < checks["GSI1"]["checked"] == checks["GSI2"]["checked"] < 60


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


async def test_one_entity_alone(world: World) -> None:
    world.copy(lead("a"), deal("d"))
    world.db.tables["deals"].items.clear()
    document = (await world.validate(entity="LEAD")).to_json()
    assert (document["result"], list(document["counts"])) == ("equal", ["LEAD"])
    with pytest.raises(Misconfigured, match="LAED"):
        await world.validate(entity="LAED")


async def test_a_sample_has_as_many_of_each_entity_and_finds_what_is_in_it(world: World) -> None:
    world.copy(*(lead(f"l{n}") for n in range(40)), *(deal(f"d{n}") for n in range(3)))
    document = (await world.validate(sample=5)).to_json()
    assert document["counts"] == {
        "LEAD": ZERO | {"old": 5, "v2": 5, "equal": 5},
        "DEAL": ZERO | {"old": 3, "v2": 3, "equal": 3},
    }
    world.db.tables["leads"].items.clear()
    assert (await world.validate(sample=5)).to_json()["counts"]["LEAD"]["missing"] == 5


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


async def test_text_says_the_result_in_its_last_line(world: World) -> None:
    world.copy(lead("a"))
    break_field(world)
    text = (await world.validate()).to_text()
    assert text.splitlines()[-1].endswith(": different (1 differences; 0 inverse failures)")
    assert "LEAD#a/METADATA" in text


async def test_a_sync_that_trails_longer_than_the_patience_leaves_differences_not_yet(world: World) -> None:
    world.put(lead("late"))

    async def never() -> None:
        await asyncio.Event().wait()

    world.settled = never  # type: ignore[method-assign] # a sync with a long backlog
    document = (await world.validate(settled=True, repair=True)).to_json()
    assert kinds(document) == [("not-yet", "LEAD#late", [])]
    assert (document["result"], document["repaired"]) == ("different", 0)


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
