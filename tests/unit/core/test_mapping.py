"""The mapping as other packages see it, and its JSON Schema."""

from pathlib import Path

import pytest

import service
from service.core.mapping.mapping import load_mapping
from service.core.mapping.schema import editor_schema_text
from tests.builders.mappings import CRM_TEXT, MERGE_TEXT, SHOP_TEXT, crm, merge_mapping, shop

SCHEMA = Path(service.__file__).parent / "mappings" / "mapping.schema.json"


def test_the_shipped_json_schema_is_current() -> None:
    command = "python -c 'from service.core.mapping.schema import editor_schema_text as text; print(text(), end=\"\")'"
    assert SCHEMA.read_text(encoding="utf-8") == editor_schema_text(), f"write it anew: {command} > {SCHEMA.name}"


def test_the_crm_s_tables() -> None:
    assert (crm().name, crm().stamp, crm().old.table, crm().old.key_names) == (
        "crm",
        "_sync",
        "expressnext-crm",
        ("pk", "sk"),
    )
    shapes = {
        table: (shape.key_names, {n: i.names for n, i in shape.indexes.items()})
        for table, shape in crm().tables.items()
    }
    both = {"GSI1": ("GSI1PK", "GSI1SK"), "GSI2": ("GSI2PK", "GSI2SK")}
    assert shapes == {
        "CRM-Leads-v2": (("PK", "SK"), both),
        "CRM-Deals-v2": (("PK", "SK"), both),
        "CRM-Resources-v2": (("PK", "SK"), both),
        "CRM-Pipelines-v2": (("PK", "SK"), {"GSI1": ("GSI1PK", "GSI1SK")}),
    }


def test_entities_that_share_a_table_share_its_shape() -> None:
    (shape,) = shop().tables.values()
    assert (shape.key_names, {name: index.names for name, index in shape.indexes.items()}) == (
        ("PK", "SK"),
        {"total": ("total_key",)},
    )
    assert "total_key" in shop().entities["REFUND"].reserved


def test_tables_take_their_names_from_outside_and_the_hash_does_not() -> None:
    named = load_mapping(CRM_TEXT, source="crm.yaml", names=lambda variable, default: f"{variable}-x")
    assert named.old.table == "OLD_TABLE_NAME-x"
    assert named.tables.keys() == {
        "LEADS_TABLE-x",
        "DEALS_TABLE-x",
        "RESOURCES_TABLE-x",
        "PIPELINES_TABLE-x",
    }
    assert named.hash == crm().hash


@pytest.mark.parametrize(
    ("part", "replacement", "same"),
    [
        ("# The default mapping", "# Another comment", True),
        ("status: {type: string, default: new}", "status: {default: new, type: string}", True),
        ("default: new}", "default: fresh}", False),
        ("STAGE#{stage}", "STAGES#{stage}", False),
        ("stamp: _sync", "stamp: _mark", False),
    ],
)
def test_the_hash_is_over_the_content_of_the_mapping(part: str, replacement: str, same: bool) -> None:
    assert part in CRM_TEXT
    changed = load_mapping(CRM_TEXT.replace(part, replacement), source="crm.yaml")
    assert len(changed.hash) == 16
    assert (changed.hash == crm().hash) is same


@pytest.mark.parametrize(
    ("part", "replacement"),
    [
        (", merge: add}", "}"),
        ("merge: agree", "merge: v2"),
        ("    groups: [[amount, currency]]\n", ""),
        ("    groups: [[amount, currency]]", "    groups: [[currency, company], [amount, followers]]"),
        ("    merge: {likes: add, labels: union}\n", ""),
    ],
)
def test_a_migration_goes_on_when_only_the_way_to_merge_changes(part: str, replacement: str) -> None:
    assert part in MERGE_TEXT
    changed = load_mapping(MERGE_TEXT.replace(part, replacement), source="merge.yaml")
    assert changed.hash == merge_mapping().hash


def test_the_hash_is_over_a_field_named_like_the_way_to_merge() -> None:
    field = "currency: {type: string}"
    first, second = (
        load_mapping(MERGE_TEXT.replace(field, f"{field}\n      merge: {{type: {kind}}}"), source="merge.yaml")
        for kind in ("string", "int")
    )
    assert len({merge_mapping().hash, first.hash, second.hash}) == 3


@pytest.mark.parametrize(
    ("attribute", "merge"),
    [
        ("visits", "add"),
        ("stage", "agree"),
        ("tags", "union"),
        ("amount", "v2"),
        ("followers", "v2"),
        ("likes", "add"),
        ("labels", "union"),
        ("unheard_of", "v2"),
        ("pk", "v2"),
    ],
)
def test_every_field_and_every_other_attribute_has_a_way_to_merge(attribute: str, merge: str) -> None:
    assert merge_mapping().entities["LEAD"].merge_of(attribute) == merge


def test_groups_are_compiled_as_they_are_written() -> None:
    assert merge_mapping().entities["LEAD"].groups == (("amount", "currency"),)
    assert merge_mapping().entities["DEAL"].groups == ()


def test_without_a_word_everything_is_merged_in_v2_s_way() -> None:
    for entity in crm().entities.values():
        assert (entity.groups, entity.unmapped_merge) == ((), {})
        assert {rule.merge for rule in entity.rules} == {"v2"}


def test_transforms_are_found_by_the_given_resolver() -> None:
    asked: list[str] = []

    def resolve(name: str) -> object:
        asked.append(name)
        return lambda value: value

    load_mapping(SHOP_TEXT, source="shop.yaml", resolve=resolve)
    assert set(asked) == {"tests.builders.mappings:grams", "tests.builders.mappings:kilograms"}
