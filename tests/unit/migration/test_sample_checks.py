"""What preflight says about old items: each thing that is wrong, how often, at which keys, and of which items."""

import asyncio

import pytest

from service.core.item.size import MAX_ITEM_BYTES, item_bytes
from service.core.item.stamp import SEQUENCE_DIGITS
from service.core.item.wire import AttributeValue, Item
from service.core.item.write import Put
from service.core.mapping.mapping import Mapping, load_mapping
from service.core.rules.guarded import copy_write
from service.migration.preflight.checks import PreflightReport
from service.migration.preflight.sample import LISTED_KEYS, map_sample
from service.migration.preflight.sample_checks import PreflightCheck, sample_checks
from tests.builders.mappings import PARCELS_TEXT
from tests.builders.small_crm import MAPPING, by_reverse, deal, lead, old_key
from tests.fakes.memory import MemoryDynamoDB


async def checks(
    items: list[Item], sample: int = 1000, mapping: Mapping = MAPPING, index_attributes: tuple[str, ...] = ()
) -> dict[str, PreflightCheck]:
    """By name, of a table with these items."""
    db = MemoryDynamoDB()
    db.create_table("old", ("pk", "sk"))
    for item in items:
        db.apply(Put("old", item))
    mapped_sample = await map_sample(db, mapping, sample, asyncio.Event(), index_attributes)
    return {check.name: check for check in sample_checks(mapped_sample, mapping.stamp)}


async def test_a_table_that_dual_can_carry() -> None:
    found = await checks([lead("a"), deal("b")])
    assert {check.verdict for check in found.values()} == {"ok"}
    assert found["mapping"].value == "2 of all 2 items can be mapped"
    assert found["stamp's name"].value == "0 of all 2 items have an own attribute '_sync'"
    assert all(check.keys == () and not check.remedy for check in found.values())


@pytest.mark.parametrize(
    ("item", "name", "verdict", "value"),
    [
        (lead("x", _sync={"S": "own"}), "stamp's name", "blocked", "1 of all 2 items have an own attribute '_sync'"),
        (by_reverse(lead("x")), "stamps left", "note", "1 of all 2 items have a stamp of tablesplit in '_sync'"),
        (lead("x", id={"S": "y"}), "rejected items", "blocked", "key_mismatch 1"),
    ],
)
async def test_what_is_in_the_way_is_counted_and_named(item: Item, name: str, verdict: str, value: str) -> None:
    found = (await checks([lead("a"), item]))[name]
    assert (found.verdict, found.value) == (verdict, value)
    assert found.keys == (old_key("LEAD", "x"),)
    assert found.remedy


@pytest.mark.parametrize(("more", "blocked"), [(0, "v2 size"), (1, "rejected items")])
async def test_an_item_that_can_be_copied_but_has_no_room_for_the_stamp_of_dual_is_named(
    more: int, blocked: str
) -> None:
    copy = copy_write(MAPPING, deal("x", notes={"S": ""}), 1).item
    base = 2 + SEQUENCE_DIGITS  # for which the copy is refused already
    old = deal("x", notes={"S": "x" * (MAX_ITEM_BYTES - base - item_bytes(copy) + more)})
    found = await checks([lead("a"), old])
    assert [name for name, check in found.items() if check.verdict == "blocked"] == [blocked]
    assert found[blocked].keys == (old_key("DEAL", "x"),)


async def test_it_says_whether_it_looked_at_all_items_or_at_a_sample() -> None:
    items = [lead(f"{n:03}", _sync={"S": "own"}) for n in range(LISTED_KEYS + 20)]
    of_all, of_some = await checks(items), await checks(items, sample=10)
    assert of_all["stamp's name"].value == "120 of all 120 items have an own attribute '_sync'"
    assert of_some["stamp's name"].value == "10 of 10 sampled items have an own attribute '_sync'"
    assert len(of_all["stamp's name"].keys) == LISTED_KEYS


def test_people_see_the_first_keys_and_programs_all_that_are_listed() -> None:
    keys = tuple(old_key("LEAD", str(n)) for n in range(7))
    report = PreflightReport((PreflightCheck("stamp's name", "7 of all 9 items", "blocked", "rename it", keys),))
    assert report.to_text().splitlines() == [
        "blocked stamp's name  7 of all 9 items",
        f"{'':22}rename it",
        *[f"{'':22}pk=LEAD#{n} sk=METADATA" for n in range(5)],
        f"{'':22}and 2 more: --json",
        "preflight: BLOCKED",
    ]
    assert len(report.to_json()["checks"][0]["keys"]) == 7
    assert report.to_json()["checks"][0]["keys"][6] == {"pk": "LEAD#6", "sk": "METADATA"}


async def test_a_time_to_live_by_which_dynamodb_deletes_nothing_is_noted() -> None:
    ending = load_mapping(PARCELS_TEXT.replace("    fields:", "    ttl: ends\n    fields:", 1), source="m.yaml")

    def parcel(number: str, ends: AttributeValue) -> Item:
        named: Item = {name: {"S": value} for name, value in (("pk", f"PARCEL#{number}"), ("sk", "META"))}
        return {**named, "kind": {"S": "PARCEL"}, "id": {"S": number}, "ends": ends}

    items = [parcel("1", {"N": "1709633000"}), parcel("2", {"S": "1709633000"}), parcel("3", {"N": "1709633000000"})]
    check = (await checks(items, mapping=ending))["never expire"]
    assert check.verdict == "note"
    assert check.value.startswith("2 of all 3 items have in the attribute of `ttl` no number of seconds")
    assert [key["pk"] for key in check.keys] == [{"S": "PARCEL#2"}, {"S": "PARCEL#3"}]
    assert "never expire" not in await checks(items[:1], mapping=ending)


MADE_IN_ONE = load_mapping(
    """
version: 1
name: made
old: {table: {variable: OLD, default: old}, partition_key: pk, sort_key: sk, entity: entity_type}
entities:
  LEAD:
    table: {variable: LEADS, default: leads}
    old_key: {pk: "LEAD#{id}", sk: METADATA}
    old_made: {GSI1SK: "STATUS#{status}"}
    key: {PK: "{id}"}
    fields: {id: {type: string, required: true}, status: {type: string, default: new}}
  DEAL:
    table: {variable: DEALS, default: deals}
    old_key: {pk: "DEAL#{id}", sk: METADATA}
    key: {PK: "{id}"}
    fields: {id: {type: string, required: true}, stage: {type: string}, owner: {type: string}}
""",
    source="made.yaml",
)


def indexed(entity: str, number: int, index_key: str, **texts: str) -> Item:
    named = {"entity_type": entity, "id": f"{number:04}", "GSI1SK": index_key, **texts}
    return {**old_key(entity, f"{number:04}"), **{name: {"S": text} for name, text in named.items()}}


async def test_an_index_key_that_one_entity_makes_and_another_carries_is_doubted_where_it_looks_made() -> None:
    leads = [indexed("LEAD", number, "STATUS#open", status="open") for number in range(3)]
    deals = [indexed("DEAL", number, "STAGE#won", stage="won", owner="ann") for number in range(3)]
    check = (await checks([*leads, *deals], mapping=MADE_IN_ONE, index_attributes=("GSI1SK",)))["old index key"]
    assert check.verdict == "note"
    assert check.value == "DEAL carries GSI1SK as it is, and it looks made of stage: edits on v2 would leave it stale"
    assert 'write in DEAL: old_made: {GSI1SK: "...{stage}"}' in check.remedy


@pytest.mark.parametrize(
    "deals",
    [
        [indexed("DEAL", 1, "DEAL#0001", stage="won")],  # of the key, which does not change
        [indexed("DEAL", 1, "as it is", stage="won")],
        [indexed("DEAL", 1, "at 7", stage="7")],  # by chance
        [indexed("DEAL", number, "2024-won", stage="won" if number == 1 else "lost") for number in range(3)],
    ],
)
async def test_what_is_carried_and_does_not_look_made_of_a_field_that_changes_is_no_doubt(deals: list[Item]) -> None:
    assert "old index key" not in await checks(deals, mapping=MADE_IN_ONE, index_attributes=("GSI1SK",))
