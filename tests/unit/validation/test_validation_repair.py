"""Repairs of a validation on tables in memory: what they mend, and the changes that they must not overwrite."""

from typing import Any

import pytest

from service.core.item.write import Put
from tests.builders.small_crm import deal, lead, lead_key
from tests.worlds.differences import KINDS, break_field
from tests.worlds.validation_world import World


def repair_under_way(world: World) -> bool:
    return any(item["pk"] == {"S": "repair"} for item in world.db.items("control"))


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
