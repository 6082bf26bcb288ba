"""Validation on tables in memory: what it finds, and what it does not count as a difference."""

from typing import Any

import pytest

from service.control.quarantine import Quarantine
from service.core.item.write import Put
from service.errors import Misconfigured, Poison
from tests.builders.small_crm import deal, lead, old_key
from tests.worlds.differences import KINDS, ZERO, break_field, break_index_attribute, drop_residue, kinds
from tests.worlds.validation_world import World


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


async def test_index_checks_of_a_large_table_look_at_a_sample(world: World) -> None:
    world.copy(*(lead(f"l{n}") for n in range(200)))
    checks = (await world.validate(index_sample=40)).to_json()["index_checks"]["LEAD"]
    assert 20 < checks["GSI1"]["checked"] == checks["GSI2"]["checked"] < 60


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


async def test_text_says_the_result_in_its_last_line(world: World) -> None:
    world.copy(lead("a"))
    break_field(world)
    text = (await world.validate()).to_text()
    assert text.splitlines()[-1].endswith(": different (1 differences; 0 inverse failures)")
    assert "LEAD#a/METADATA" in text
