"""The writes for a copy, a change, a purge and a repair."""

from dataclasses import replace

import pytest

from service.core.item.change import Change
from service.core.item.stamp import (
    Stamp,
    backfill_version,
    content_hash,
    decode_stamp,
    encode_stamp,
    is_bare_tombstone,
    stamped,
    stream_version,
)
from service.core.item.wire import Item
from service.core.item.write import Absent, AllOf, AnyOf, Equals, Less, Put, Update
from service.core.mapping.transform import forward
from service.core.rules.guarded import (
    MAX_COMPARED,
    REPAIR_VERSION,
    change_writes,
    copy_write,
    guarded_writes,
    older_than,
    purge_write,
    repair_write,
    tombstone,
)
from service.dynamodb.expressions import condition_fields
from service.errors import Poison
from tests.builders.mappings import crm
from tests.fakes.memory import MemoryDynamoDB

TABLE = "CRM-Leads-v2"


def lead(created: str = "2024-03-05", **more: str) -> Item:
    texts = {
        "pk": "LEAD#7",
        "sk": "METADATA",
        "entity_type": "LEAD",
        "id": "7",
        "created_at": created,
        **more,
    }
    return {name: {"S": text} for name, text in texts.items()}


BROKEN: Item = {name: value for name, value in lead().items() if name != "id"}


def key(month: str) -> Item:
    return {"PK": {"S": "LEAD"}, "SK": {"S": f"{month}#7"}}


def change(sequence: int, old: Item | None, new: Item | None) -> Change:
    old_key = {name: (new or old or {})[name] for name in ("pk", "sk")}
    return Change("crm", "shard-1", str(sequence), old_key, old, new)


def outline(put: Put) -> tuple[str, str, bool]:
    """Sort key, version, and whether it is a tombstone."""
    stamp = decode_stamp(put.item, "_sync")
    assert stamp is not None
    return put.item["SK"]["S"], stamp.version, stamp.tombstone


def written(old: Item, version: str) -> Item:
    return stamped(forward(crm(), old), version, "_sync")


def test_a_copy_is_written_only_to_a_free_key_and_is_below_every_change() -> None:
    put = copy_write(crm(), lead(), 3)
    assert (put.table, put.condition) == (TABLE, Absent(("PK",)))
    assert outline(put) == ("2024-03#7", "0003." + "0" * 40, False)
    assert backfill_version(3) < stream_version(3, "1")


def test_a_written_item_is_stamped_with_residue_absent_names_and_content_hash() -> None:
    old = {**lead(), "bio_match": {"S": "85"}}
    v2 = forward(crm(), old)
    stamp = decode_stamp(copy_write(crm(), old, 1).item, "_sync")
    assert stamp == Stamp(backfill_version(1), content_hash(v2.item), v2.residue, v2.absent)
    assert stamp.residue == {"bio_match": {"S": "85"}}
    assert "status" in stamp.absent


def test_the_content_hash_does_not_depend_on_the_order_of_attributes() -> None:
    item = forward(crm(), lead()).item
    assert content_hash(item) == content_hash(dict(reversed(item.items())))
    assert content_hash(item) != content_hash({**item, "name": {"S": "x"}})


def test_a_change_writes_unless_something_as_new_is_there() -> None:
    (put,) = change_writes(crm(), [change(5, lead(), lead(name="Ann"))], 1)
    version = stream_version(1, "5")
    assert outline(put) == ("2024-03#7", version, False)
    assert put.item["name"] == {"S": "Ann"}
    assert put.condition == AnyOf((Absent(("_sync",)), Less(("_sync", "v"), {"S": version})))


def test_a_removal_writes_a_bare_tombstone_in_the_item_s_place() -> None:
    (put,) = change_writes(crm(), [change(5, lead(), None)], 1)
    assert put == tombstone(TABLE, key("2024-03"), stream_version(1, "5"), "_sync")
    assert put.condition == older_than("_sync", stream_version(1, "5"))
    assert is_bare_tombstone(put.item, crm().tables[TABLE].key_names, "_sync")


MARCH, APRIL, MAY = lead("2024-03-05"), lead("2024-04-05"), lead("2024-05-05")
RUNS = {
    "moved": ([(MARCH, APRIL)], [("2024-04#7", False), ("2024-03#7", True)]),
    "moved and back": ([(MARCH, APRIL), (APRIL, MARCH)], [("2024-03#7", False), ("2024-04#7", True)]),
    "moved twice": (
        [(MARCH, APRIL), (APRIL, MAY)],
        [("2024-05#7", False), ("2024-03#7", True), ("2024-04#7", True)],
    ),
    "moved and removed": ([(MARCH, APRIL), (APRIL, None)], [("2024-03#7", True), ("2024-04#7", True)]),
    "made, removed, made elsewhere": (
        [(None, MARCH), (MARCH, None), (None, APRIL)],
        [("2024-04#7", False), ("2024-03#7", True)],
    ),
    "only an intermediate image knows the key": (
        [(None, MARCH), (BROKEN, APRIL)],
        [("2024-04#7", False), ("2024-03#7", True)],
    ),
    "old image that has no transform": ([(BROKEN, MARCH)], [("2024-03#7", False)]),
    "intermediate image that has no transform": (
        [(MARCH, BROKEN), (BROKEN, APRIL)],
        [("2024-04#7", False), ("2024-03#7", True)],
    ),
    "removal of an item that cannot be mapped": ([(BROKEN, None)], []),
}


@pytest.mark.parametrize("row", RUNS)
def test_a_run_of_changes_is_one_put_at_its_last_version_and_a_tombstone_at_each_vacated_key(
    row: str,
) -> None:
    images, expected = RUNS[row]
    changes = [change(10 + position, old, new) for position, (old, new) in enumerate(images)]
    version = stream_version(2, str(9 + len(images)))
    writes = change_writes(crm(), changes, 2)
    assert [outline(put) for put in writes] == [(sort, version, dead) for sort, dead in expected]


@pytest.mark.parametrize("new", [None, lead()])
def test_an_image_whose_v2_key_is_too_long_never_reached_v2_and_vacates_nothing(new: Item | None) -> None:
    # DynamoDB would refuse a tombstone at that key: this change and those that wait behind it could never leave quarantine.
    too_long = {**lead(), "id": {"S": "7" * 1500}, "pk": {"S": "LEAD#" + "7" * 1500}}
    writes = change_writes(crm(), [change(5, too_long, new)], 1)
    assert [outline(put)[0] for put in writes] == (["2024-03#7"] if new else [])


def test_a_run_that_ends_in_an_image_without_a_transform_is_poison() -> None:
    with pytest.raises(Poison):
        change_writes(crm(), [change(1, None, MARCH), change(2, MARCH, BROKEN)], 1)


def left_by(write: Put | Update | None, there: Item | None) -> Item | None:
    """The item that a write leaves where ``there`` is; None: it is refused."""
    memory = MemoryDynamoDB()
    memory.create_table(TABLE, ("PK", "SK"))
    if there is not None:
        memory.apply(Put(TABLE, there))
    return memory.items(TABLE)[0] if write is not None and memory.apply(write) else None


THERE = {
    "nothing": None,
    "the copy of the item before": written(lead(), backfill_version(1)),
    "the copy of an item that has an attribute more": written(lead(phone="1"), backfill_version(1)),
    "the same change": written(lead(name="Ann"), stream_version(1, "5")),
    "the item before, written later": written(lead(), stream_version(1, "6")),
    "a tombstone": tombstone(TABLE, key("2024-03"), stream_version(1, "4"), "_sync").item,
    "what the application has made of a tombstone": {
        **tombstone(TABLE, key("2024-03"), stream_version(1, "4"), "_sync").item,
        "name": {"S": "x"},
    },
    "an item without a stamp": {**key("2024-03"), "name": {"S": "x"}},
}
IMAGES = {
    "changed": (lead(), lead(name="Ann")),
    "an attribute less": (lead(phone="1"), lead()),
    "created": (None, lead(name="Ann")),
    "created, though the image before had no transform": (BROKEN, lead(name="Ann")),
    "moved here": (APRIL, MARCH),
}


@pytest.mark.parametrize("there", THERE)
@pytest.mark.parametrize("images", IMAGES)
def test_the_update_leaves_what_the_put_leaves_or_is_refused(images: str, there: str) -> None:
    write = guarded_writes(crm(), [change(5, *IMAGES[images])], 1)[0]
    by_update = left_by(write.update, THERE[there])
    assert by_update in (None, left_by(write.put, THERE[there]))


def test_the_update_names_what_changes_and_is_refused_where_an_attribute_would_stay() -> None:
    """Did it ask for the version alone, a copy that the backfill read later, with an attribute that the change does not know,
    would keep that attribute."""
    (write,) = guarded_writes(crm(), [change(5, lead(more="x"), lead())], 1)
    assert write.update is not None
    assert (list(write.update.set), write.update.remove) == (["_sync"], ("custom_fields",))
    before = Equals(("_sync", "h"), {"S": content_hash(forward(crm(), lead(more="x")).item)})
    assert write.update.condition == AllOf((before, Less(("_sync", "v"), {"S": stream_version(1, "5")})))
    assert left_by(write.update, written(lead(more="x"), backfill_version(1))) == write.put.item
    assert left_by(write.update, written(lead(name="Bob"), backfill_version(1))) is None


def test_a_move_is_an_insert_and_a_put_of_a_tombstone() -> None:
    there, left = guarded_writes(crm(), [change(5, MARCH, APRIL)], 1)
    assert left_by(there.update, None) == left_by(there.put, None)
    assert left.update is None


@pytest.mark.parametrize("new", [None, APRIL], ids=["removed", "moved"])
def test_what_was_added_by_hand_goes_with_the_item(new: Item | None) -> None:
    """By an update the attribute would stay beside the tombstone's stamp: no tombstone, no item of anybody's, and no repair."""
    by_hand = {**written(MARCH, backfill_version(1)), "handmade": {"S": "x"}}
    left = guarded_writes(crm(), [change(5, MARCH, new)], 1)[-1]
    assert left.update is None
    assert left_by(left.put, by_hand) == left.put.item


def test_of_a_run_the_update_is_by_the_image_before_its_first_change() -> None:
    run = [change(5, lead(), lead(name="Ann")), change(6, lead(name="Ann"), lead(phone="1"))]
    (write,) = guarded_writes(crm(), run, 1)
    assert left_by(write.update, written(lead(), backfill_version(1))) == write.put.item
    assert left_by(write.update, written(lead(name="Ann"), stream_version(1, "5"))) is None


@pytest.mark.parametrize(
    ("item", "bare"),
    [
        ({**key("2024-03"), "_sync": encode_stamp(Stamp(stream_version(1, "1"), tombstone=True))}, True),
        (
            {**key("2024-03"), "x": {"S": ""}, "_sync": encode_stamp(Stamp(stream_version(1, "1"), tombstone=True))},
            False,
        ),
        ({**key("2024-03"), "_sync": encode_stamp(Stamp(stream_version(1, "1")))}, False),
        (key("2024-03"), False),
    ],
)
def test_a_bare_tombstone_is_key_and_stamp_and_nothing_else(item: Item, bare: bool) -> None:
    assert is_bare_tombstone(item, crm().tables[TABLE].key_names, "_sync") is bare


def test_a_purge_needs_the_stamp_as_read_and_no_attribute_of_the_mapping() -> None:
    item = tombstone(TABLE, key("2024-03"), "v", "_sync").item
    delete = purge_write(crm(), TABLE, item)
    assert (delete.table, delete.key) == (TABLE, key("2024-03"))
    assert isinstance(delete.condition, AllOf)
    assert Equals(("_sync",), item["_sync"]) in delete.condition.conditions
    absent = {condition.path[0] for condition in delete.condition.conditions if isinstance(condition, Absent)}
    entity = crm().entities["LEAD"]
    assert absent == {*entity.fields, "custom_fields", "GSI1PK", "GSI1SK", "GSI2PK", "GSI2SK"}


VERSION = stream_version(1, "9")
REPAIRS = {
    "missing": (None, MARCH, ("2024-03#7", REPAIR_VERSION, False)),
    "wrong": (written(lead(name="x"), VERSION), MARCH, ("2024-03#7", VERSION, False)),
    "right": (written(MARCH, VERSION), MARCH, None),
    "without a stamp": (forward(crm(), MARCH).item, MARCH, ("2024-03#7", REPAIR_VERSION, False)),
    "damaged stamp": (
        {**forward(crm(), MARCH).item, "_sync": {"S": ""}},
        MARCH,
        ("2024-03#7", REPAIR_VERSION, False),
    ),
    # No later change is above it, so it is not kept.
    "a version changed by hand": (written(MARCH, "zzz"), MARCH, ("2024-03#7", REPAIR_VERSION, False)),
    "tombstone over a live item": (
        tombstone(TABLE, key("2024-03"), VERSION, "_sync").item,
        MARCH,
        ("2024-03#7", VERSION, False),
    ),
    "extra": (written(MARCH, VERSION), None, ("2024-03#7", VERSION, True)),
    "extra without a stamp": (forward(crm(), MARCH).item, None, ("2024-03#7", REPAIR_VERSION, True)),
    "belongs at another key": (written(MARCH, VERSION), APRIL, ("2024-03#7", VERSION, True)),
    "tombstone without an old item": (tombstone(TABLE, key("2024-03"), VERSION, "_sync").item, None, None),
    "nothing on either side": (None, None, None),
    "nothing here, belongs elsewhere": (None, APRIL, None),
}


@pytest.mark.parametrize("row", REPAIRS)
def test_a_repair_keeps_the_version_and_writes_the_item_of_the_old_one(row: str) -> None:
    v2, old, expected = REPAIRS[row]
    put = repair_write(crm(), TABLE, key("2024-03"), v2, old)
    assert (None if put is None else outline(put)) == expected


def test_a_repair_of_a_missing_item_needs_the_key_to_be_free_still() -> None:
    put = repair_write(crm(), TABLE, key("2024-03"), None, MARCH)
    assert put is not None
    assert put.condition == Absent(("PK",))


def test_a_repair_needs_every_attribute_and_the_stamp_as_read() -> None:
    v2 = written(lead(name="x"), VERSION)
    put = repair_write(crm(), TABLE, key("2024-03"), v2, MARCH)
    assert put is not None
    assert isinstance(put.condition, AllOf)
    expected = {(name,): value for name, value in v2.items() if name not in ("PK", "SK")}
    assert {c.path: c.value for c in put.condition.conditions if isinstance(c, Equals)} == expected


def test_a_repair_of_an_item_without_a_stamp_needs_it_to_have_none_still() -> None:
    put = repair_write(crm(), TABLE, key("2024-03"), {**key("2024-03"), "name": {"S": "x"}}, MARCH)
    assert put is not None
    assert put.condition == AllOf((Absent(("_sync",)), Equals(("name",), {"S": "x"})))


def test_a_repair_names_no_more_attributes_than_a_condition_holds() -> None:
    v2 = {**written(MARCH, VERSION), **{f"x{i}": {"S": ""} for i in range(200)}}
    put = repair_write(crm(), TABLE, key("2024-03"), v2, None)
    assert put is not None
    assert isinstance(put.condition, AllOf)
    assert len(put.condition.conditions) == MAX_COMPARED + 1
    assert put.condition.conditions[0] == Equals(("_sync",), v2["_sync"])


def test_a_purge_names_no_more_attributes_than_a_condition_holds() -> None:
    # DynamoDB refuses an expression over 4 KB, and the lane that purges would stop.
    entity = crm().entities["LEAD"]
    wide = replace(entity, made=entity.made | {f"field{n}" for n in range(400)})
    put = tombstone(TABLE, key("2024-03"), stream_version(1, "5"), "_sync")
    delete = purge_write(replace(crm(), entities={"LEAD": wide}), TABLE, put.item)
    assert len(condition_fields(delete.condition)["ConditionExpression"]) <= 4096
