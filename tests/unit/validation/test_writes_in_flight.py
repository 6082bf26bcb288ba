"""Validation while the application writes and the sync lags: what is no difference, and what is one all the same."""

import asyncio
import random

import pytest

from tests.builders.small_crm import lead, lead_key, old_key
from tests.worlds.differences import ZERO, kinds
from tests.worlds.validation_world import World


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


async def test_a_sync_that_trails_longer_than_the_patience_leaves_differences_not_yet(world: World) -> None:
    world.put(lead("late"))

    async def never() -> None:
        await asyncio.Event().wait()

    world.settled = never  # type: ignore[method-assign] # a sync with a long backlog
    document = (await world.validate(settled=True, repair=True)).to_json()
    assert kinds(document) == [("not-yet", "LEAD#late", [])]
    assert (document["result"], document["repaired"]) == ("different", 0)
