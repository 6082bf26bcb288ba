"""The six public designs in examples/tables: every item is mapped and comes back, and after an edit the old item is consistent."""

import json
from collections import Counter

import pytest

from service.core.item.stamp import backfill_version, stamped, without_stamp
from service.core.item.wire import Item
from service.core.mapping.inverse import inverse
from service.core.mapping.made import made_otherwise
from service.core.mapping.mapping import Mapping
from service.core.mapping.transform import forward
from tests.builders.designs import DESIGNS, TABLES, items_of, mapping_of

COUNTS = {
    "banking": {"customer": 4, "account": 4, "transaction": 16, "autopay": 4},
    "complaints": {"complaint": 8, "message": 24},
    "game": {"player": 14, "game": 5, "player_in_game": 25},
    "invoices-onetable": {"Account": 4, "User": 12, "Product": 5, "Invoice": 14, "left out": 4},
    "tasks-electrodb": {"office": 3, "employee": 14, "task": 20},
    "users-typedorm": {"organisation": 5, "user": 14, "left out": 14},
}


def carried(design: str, mapping: Mapping) -> list[Item]:
    return [item for item in items_of(design) if not mapping.leaves_out(item)]


def test_each_design_has_its_items_and_a_mapping() -> None:
    assert DESIGNS == sorted(COUNTS) == sorted(path.stem for path in TABLES.glob("*.json"))


@pytest.mark.parametrize("design", DESIGNS)
def test_every_item_is_mapped_to_a_key_of_its_own_without_residue(design: str) -> None:
    mapping = mapping_of(design)
    counts = Counter("left out" for item in items_of(design) if mapping.leaves_out(item))
    places = set()
    for item in carried(design, mapping):
        v2 = forward(mapping, item)
        counts[v2.entity] += 1
        places.add((v2.table, json.dumps(v2.key)))
        assert (v2.residue, v2.absent) == ({}, frozenset())
    assert counts == COUNTS[design]
    assert len(places) == counts.total() - counts["left out"]


@pytest.mark.parametrize("design", DESIGNS)
def test_every_item_comes_back_with_and_without_its_stamp(design: str) -> None:
    mapping = mapping_of(design)
    for item in carried(design, mapping):
        v2 = forward(mapping, item)
        whole = stamped(v2, backfill_version(1), mapping.stamp)
        assert inverse(mapping, whole, v2.table) == item
        assert inverse(mapping, without_stamp(whole, mapping.stamp), v2.table) == item


def test_an_entity_with_conditions_of_its_own_is_not_told_by_its_name() -> None:
    mapping = mapping_of("banking")
    transaction = next(item for item in items_of("banking") if item["type"] == {"S": "deposit"})
    assert mapping.entity_name_of(transaction) == "transaction"
    assert mapping.entity_name_of({**transaction, "type": {"S": "transaction"}}) == "unknown"


@pytest.mark.parametrize("design", DESIGNS)
def test_an_edit_of_any_field_gives_an_old_item_whose_index_keys_agree_with_it(design: str) -> None:
    mapping = mapping_of(design)
    edits = 0
    for item in carried(design, mapping):
        v2 = forward(mapping, item)
        entity, whole = mapping.entities[v2.entity], stamped(v2, backfill_version(1), mapping.stamp)
        in_key = {placeholder.name for template in entity.key.values() for placeholder in template.placeholders}
        for rule in entity.rules:
            if rule.name in in_key or rule.type != "string" or rule.name in entity.when:
                continue
            edited = {**whole, rule.name: {"S": "Edited 7"}}
            old = inverse(mapping, edited, v2.table)
            assert made_otherwise(entity, old, without_stamp(edited, mapping.stamp)) == {}
            assert old[rule.names[0]] == {"S": "Edited 7"}
            assert forward(mapping, old).item == without_stamp(edited, mapping.stamp)
            edits += 1
    assert edits > 0
