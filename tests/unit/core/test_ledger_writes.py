"""The writes under the ledger rule: what they change, on what condition, and what of v2's own shape stays."""

from collections.abc import Callable

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from service.core.item.compare import equal
from service.core.item.stamp import Stamp, own_stamp, without_stamp
from service.core.item.wire import AttributeValue, Item
from service.core.item.write import Delete, Put, Update
from service.core.mapping.mapping import Mapping
from service.core.mapping.transform import forward
from service.core.rules.images import old_form
from service.core.rules.ledger_writes import MAX_NAMES, edited, place_of, still_bare, tombstone_write, v2_write, written
from service.dynamodb.expressions import condition_fields
from service.errors import Poison
from tests.builders.dual_lead import (
    MAPPING,
    MAY,
    TABLE,
    attributes,
    by_application,
    by_forward,
    count,
    lead,
    place,
    reading,
    tombstone,
    version,
)
from tests.builders.mappings import crm, merge_mapping, shop
from tests.builders.strategies import items, mappable
from tests.fakes.memory import MemoryDynamoDB

NEXT = Stamp(version(50), base=count(0))


def with_v2(item: Item | None) -> MemoryDynamoDB:
    memory = MemoryDynamoDB()
    memory.create_table(TABLE, ("PK", "SK"))
    if item is not None:
        memory.apply(Put(TABLE, item))
    return memory


def put_over(item: Item | None, old: Item) -> Put | Update:
    return v2_write(MAPPING, reading(item), forward(MAPPING, old).item, NEXT)


def test_an_attribute_that_the_application_adds_meanwhile_survives() -> None:
    memory = with_v2(by_forward(lead()))
    write = put_over(by_forward(lead()), lead(status="won"))
    memory.apply(Update(TABLE, place().key, {"nobody_knows": {"S": "it"}}))
    assert memory.apply(write)
    item = memory.item(TABLE, place().key) or {}
    assert (item["status"], item["nobody_knows"]) == ({"S": "won"}, {"S": "it"})


MEANWHILE: dict[str, Item] = {
    "changes a mapped attribute": {"status": {"S": "mine"}},
    "adds a mapped attribute": {"amount": {"N": "1"}},
    "changes the stamp": {"_sync": {"S": "mine"}},
    "changes an attribute that nobody knows": {"note": {"S": "other"}},
}

WRITES: dict[str, Callable[[Item], Put | Update]] = {
    "an update": lambda item: put_over(item, lead(status="won")),
    "a tombstone": lambda item: tombstone_write(MAPPING, reading(item), version(50), count(0)),
}


@pytest.mark.parametrize("edit", MEANWHILE)
@pytest.mark.parametrize("write", WRITES)
def test_nothing_is_written_when_the_application_meanwhile(edit: str, write: str) -> None:
    item = by_forward(lead(), note="read")
    memory = with_v2(item)
    memory.apply(Update(TABLE, place().key, MEANWHILE[edit]))
    assert not memory.apply(WRITES[write](item))


@pytest.mark.parametrize("write", WRITES)
def test_nothing_is_written_where_the_item_has_gone(write: str) -> None:
    memory = with_v2(by_forward(lead()))
    memory.apply(Delete(TABLE, place().key))
    assert not memory.apply(WRITES[write](by_forward(lead())))


def test_nothing_is_written_where_an_item_has_appeared() -> None:
    assert not with_v2(by_application(lead())).apply(put_over(None, lead()))


def test_an_item_over_a_tombstone_is_written_without_its_mark() -> None:
    memory = with_v2(tombstone())
    assert memory.apply(put_over(tombstone(), lead()))
    stamp = own_stamp(memory.item(TABLE, place().key), place().key, "_sync")
    assert stamp is not None
    assert (stamp.tombstone, stamp.version) == (False, version(50))


def test_a_tombstone_is_the_key_and_a_stamp() -> None:
    memory = with_v2(by_forward(lead(), note="x"))
    assert memory.apply(tombstone_write(MAPPING, reading(by_forward(lead(), note="x")), version(50), count(3)))
    assert memory.item(TABLE, place().key) == tombstone(50, base=3)


def test_where_nothing_changes_nothing_is_written() -> None:
    item = attributes(pk="LEAD#7", n={"N": "1.0"})
    assert written("old", {"pk": item["pk"]}, item, {**item, "n": {"N": "1"}}, ()) is None


def test_a_write_on_v2_always_changes_the_stamp_so_that_a_record_follows() -> None:
    """Another worker has just made the same write: reverse must read a record of this one too."""
    memory = with_v2(None)
    assert memory.apply(put_over(None, lead()))
    again = put_over(memory.item(TABLE, place().key), lead())
    assert memory.apply(again)
    stamp = own_stamp(memory.item(TABLE, place().key), place().key, "_sync")
    assert stamp is not None
    assert version(50) < stamp.version < version(51)


MANY = {f"x{number:03d}": {"N": "1"} for number in range(300)}


@pytest.mark.parametrize("edited_name", ["x299", "status"])
def test_of_many_attributes_those_that_are_written_and_those_that_the_mapping_knows_are_compared(
    edited_name: str,
) -> None:
    """The former rule put an item of more than 120 attributes in quarantine."""
    item = {**by_forward(lead(status="old")), **MANY}
    changed = {**item, edited_name: {"N": "2"}}
    write = v2_write(MAPPING, reading(item), without_stamp(changed, "_sync"), NEXT)
    assert isinstance(write, Update)
    assert write.set.keys() == {edited_name, "_sync"}
    assert with_v2(item).apply(write)
    for meanwhile in (edited_name, "status", "_sync", "visits"):
        assert not with_v2({**item, meanwhile: {"N": "9"}}).apply(write), meanwhile
    fields = condition_fields(write.condition)
    assert len(fields["ExpressionAttributeNames"]) == MAX_NAMES
    assert len(fields["ConditionExpression"]) < 4096


def test_the_place_of_a_write_is_that_of_its_item() -> None:
    assert place_of(MAPPING, put_over(None, lead())) == place()
    assert place_of(MAPPING, put_over(by_forward(lead()), lead(status="x"))) == place()


@pytest.mark.parametrize(
    "added", ["nothing", "an attribute of the mapping", "an attribute that nobody knows", "a stamp"]
)
def test_a_tombstone_is_removed_only_while_it_is_bare(added: str) -> None:
    """An attribute that the mapping does not know cannot be listed in a condition: the sweep looks for it before."""
    edit = {
        "nothing": {},
        "an attribute of the mapping": {"id": {"S": "7"}},
        "an attribute that nobody knows": {"zzz": {"S": "7"}},
        "a stamp": {"_sync": tombstone(41)["_sync"]},
    }[added]
    memory = with_v2({**tombstone(), **edit})
    removed = memory.apply(Delete(TABLE, place().key, still_bare(MAPPING, TABLE, tombstone())))
    assert removed is (added in ("nothing", "an attribute that nobody knows"))


def edit_of(item: Item, before: Item, after: Item) -> Item:
    """A v2 item without its stamp after a change of the old item."""
    return edited(MAPPING, without_stamp(item, "_sync"), before, after)[0]


def test_an_edit_keeps_attributes_types_and_index_keys_of_v2s_own() -> None:
    item = by_application(lead(), GSI1PK="STATUS#hot", followers="many", updated_at={"N": "5"}, mine="kept")
    now = old_form(MAPPING, place(), item)
    made = edit_of(item, now, {**now, "company": {"S": "acme"}})
    assert made == {**item, "company": {"S": "acme"}, "GSI2PK": {"S": "COMPANY#acme"}}


def test_an_index_key_that_the_transform_has_made_follows_its_field() -> None:
    assert edit_of(by_application(lead()), lead(), lead(status="won"))["GSI1PK"] == {"S": "STATUS#won"}


def test_an_index_key_written_by_hand_stays_when_its_field_changes() -> None:
    item = by_application(lead(), GSI1PK="mine")
    made = edit_of(item, lead(), lead(status="won"))
    assert (made["status"], made["GSI1PK"]) == ({"S": "won"}, {"S": "mine"})


def test_an_index_key_that_v2s_application_has_removed_does_not_come_back() -> None:
    item = {name: content for name, content in by_application(lead()).items() if name != "GSI1PK"}
    assert "GSI1PK" not in edit_of(item, lead(), lead(status="won"))


def test_a_field_that_v2s_application_has_left_out_is_there_once_the_old_side_writes_its_default() -> None:
    item = {name: content for name, content in by_application(lead()).items() if name != "company"}
    now = old_form(MAPPING, place(), item)
    made = edit_of(item, now, {**now, "company": {"S": ""}})
    assert made == {**item, "company": {"S": ""}}


GATHERED = {"M": {"mine": {"S": "in"}}}
EDITS: dict[str, tuple[Item, str | None, Item]] = {
    "an attribute at top level is changed there": (
        attributes(note="old", custom_fields=GATHERED),
        "new",
        attributes(note="new", custom_fields=GATHERED),
    ),
    "and is removed there": (attributes(note="old"), None, {}),
    "an attribute that is gathered is changed there": (
        attributes(custom_fields={"M": {"note": {"S": "old"}, "mine": {"S": "in"}}}),
        "new",
        attributes(custom_fields={"M": {"note": {"S": "new"}, "mine": {"S": "in"}}}),
    ),
    "and is removed there, and the rest stays": (
        attributes(custom_fields={"M": {"note": {"S": "old"}, "mine": {"S": "in"}}}),
        None,
        attributes(custom_fields=GATHERED),
    ),
    "the last one leaves an empty map, as v2's application would": (
        attributes(custom_fields={"M": {"note": {"S": "old"}}}),
        None,
        attributes(custom_fields={"M": {}}),
    ),
}
"""What v2 has besides, the new value of `note` on old, what v2 has then."""


@pytest.mark.parametrize("row", EDITS)
def test_an_attribute_that_the_mapping_does_not_know(row: str) -> None:
    besides, note, then = EDITS[row]
    item = {**by_application(lead()), **besides}
    now = old_form(MAPPING, place(), item)
    after = {name: content for name, content in {**now, "note": note and {"S": note}}.items() if content}
    assert edit_of(item, now, after) == {**by_application(lead()), **then}


def test_a_new_attribute_is_gathered() -> None:
    assert edit_of(by_application(lead()), lead(), lead(note="x"))["custom_fields"] == {"M": {"note": {"S": "x"}}}
    assert "note" not in edit_of(by_application(lead()), lead(), lead(note="x"))


def test_a_move_within_the_table_keeps_what_is_v2s_own_and_has_the_new_key() -> None:
    item = by_application(lead(), mine="kept", GSI1PK="mine")
    content, made = edited(MAPPING, item, lead(), lead(MAY))
    assert (content["mine"], content["GSI1PK"], content["SK"]) == ({"S": "kept"}, {"S": "mine"}, place(MAY).key["SK"])
    assert made.key == place(MAY).key


def test_a_residue_of_the_old_side_is_kept_for_the_inverse() -> None:
    before, after = lead(followers="1,054"), lead(followers="1,054", status="won")
    content, made = edited(MAPPING, without_stamp(by_forward(before), "_sync"), before, after)
    stamp = Stamp(version(50), residue=made.residue, absent=made.absent, base=count(0))
    memory = with_v2(by_forward(before))
    assert memory.apply(v2_write(MAPPING, reading(by_forward(before)), content, stamp))
    item = memory.item(TABLE, place().key)
    assert item is not None
    assert old_form(MAPPING, place(), item) == after


def test_an_item_that_cannot_be_mapped_is_poison() -> None:
    with pytest.raises(Poison):
        edited(MAPPING, by_application(lead()), lead(), {**lead(), "entity_type": {"S": "GHOST"}})


OWN: AttributeValue = {"S": "v2's own"}
ENTITIES = [(mapping(), name) for mapping in (crm, shop, merge_mapping) for name in mapping().entities]


@settings(max_examples=60)
@given(st.data(), st.sampled_from(ENTITIES))
def test_an_edit_makes_of_an_untouched_item_what_the_transform_makes(
    data: st.DataObject, of: tuple[Mapping, str]
) -> None:
    """And leaves what v2's application has added at top level."""
    mapping, name = of
    before, after = (data.draw(items(mapping, name)) for _ in range(2))
    assume(mappable(mapping, before) and mappable(mapping, after))
    was, wanted = forward(mapping, before), forward(mapping, after)
    content, made = edited(mapping, {**was.item, "zzz own": OWN}, before, after)
    expected = {**wanted.item, "zzz own": OWN}
    gather = mapping.entities[name].gather
    if gather is not None and gather in was.item and gather not in wanted.item:
        expected[gather] = {"M": {}}
    assert equal(content, expected)
    assert made == wanted
