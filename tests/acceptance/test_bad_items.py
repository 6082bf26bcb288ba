"""Items that cannot be migrated: the dry run names them, the quarantine keeps them, and the rest is copied."""

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError

from service.core.item.wire import AttributeValue, Item
from service.rehearsal.demo.items import text
from tests.acceptance.in_process import World

pytestmark = [pytest.mark.local, pytest.mark.slow]

KEY_NAME = "sk=METADATA"
KNOWN = "the mapping knows LEAD, DEAL, RESOURCE, PIPELINE"


def lead(identity: str, **more: AttributeValue) -> Item:
    key = {"pk": text(f"LEAD#{identity}"), "sk": text("METADATA"), "entity_type": text("LEAD")}
    return {**key, "id": text(identity), **more}


def without(item: Item, name: str) -> Item:
    return {key: value for key, value in item.items() if key != name}


def nested(levels: int) -> AttributeValue:
    value = text("x")
    for _ in range(levels):
        value = {"L": [value]}
    return value


LONG = "x" * 1500
ITEMS: dict[str, tuple[Item, str, str]] = {
    "no id": (without(lead("none"), "id"), "no_id", "id is absent, or not of type string"),
    "empty id": (lead("empty", id=text("")), "no_id", "id is absent, or not of type string"),
    "id is null": (lead("null", id={"NULL": True}), "no_id", "id is absent, or not of type string"),
    "id of another item": (
        lead("mine", id=text("other")),
        "key_mismatch",
        "pk should be 'LEAD#other' by the mapping's old_key",
    ),
    "entity of another item": (
        lead("lead", entity_type=text("DEAL")),
        "key_mismatch",
        "pk should be 'DEAL#lead' by the mapping's old_key",
    ),
    "no entity": (without(lead("bare"), "entity_type"), "unknown_entity", f"entity_type is absent; {KNOWN}"),
    "unknown entity": (
        lead("unknown", entity_type=text("CUSTOMER")),
        "unknown_entity",
        f"entity_type is 'CUSTOMER'; {KNOWN}",
    ),
    "over 400 KB in v2": (
        lead("big", notes=text("x" * (400 * 1024 - 150))),
        "too_big",
        "the v2 item would take 409865 bytes, 409600 are allowed",
    ),
    "too deep in v2": (
        lead("deep", custom=nested(31)),
        "too_deep",
        "custom_fields would nest 32 lists and maps, 31 are allowed",
    ),
    "key too long in v2": (lead(LONG), "key_too_long", "SK would take 1508 bytes, 1024 are allowed"),
}


@pytest.fixture
def crm(world: World) -> World:
    """An old table with one good item and every bad one; the v2 tables exist."""
    world.set(TABLESPLIT_SEGMENTS="1", TABLESPLIT_SETTLE_SECONDS="0")
    world.make("OLD_TABLE_NAME")
    for item in (lead("good"), *(item for item, _, _ in ITEMS.values())):
        world.dynamodb.put_item(TableName=world.name("OLD_TABLE_NAME"), Item=item)
    assert world.run("create-tables").status == 0
    return world


def expected() -> dict[str, tuple[str, str]]:
    return {
        item["pk"]["S"]: (reason, f"old item pk={item['pk']['S']} {KEY_NAME}: {line}")
        for item, reason, line in ITEMS.values()
    }


def document(world: World, *command: str, status: int) -> Any:
    result = world.run(*command, "--json")
    assert result.status == status, result.err
    return json.loads(result.out)


def test_every_bad_item_is_reported_with_its_key_and_left_out_while_the_rest_is_copied(crm: World) -> None:
    dry = document(crm, "migrate", "--dry-run", status=1)
    assert {
        example["key"]["pk"]["S"]: (example["reason"], example["message"]) for example in dry["examples"]
    } == expected()
    assert crm.dynamodb.scan(TableName=crm.name("LEADS_TABLE"))["Items"] == []

    copied = document(crm, "migrate", status=1)
    assert (copied["copied"], copied["quarantined"]) == (1, len(ITEMS))
    items = crm.dynamodb.scan(TableName=crm.name("LEADS_TABLE"))["Items"]
    assert [item["id"]["S"] for item in items] == ["good"]

    listed = document(crm, "quarantine", "list", status=0)
    assert {row["key"]["pk"]: (row["reason"], row["message"]) for row in listed["items"]} == expected()


def test_preflight_finds_bad_items_before_anything_is_made(world: World) -> None:
    world.make("OLD_TABLE_NAME")
    for row in ("no id", "unknown entity"):
        world.dynamodb.put_item(TableName=world.name("OLD_TABLE_NAME"), Item=ITEMS[row][0])
    report = document(world, "preflight", status=1)
    blocked = {
        check["name"]: (check["value"], check["remedy"]) for check in report["checks"] if check["verdict"] == "blocked"
    }
    assert blocked == {
        "rejected items": (
            "no_id 1, unknown_entity 1",
            "see `tablesplit migrate --dry-run` for the keys; correct the items or the mapping",
        )
    }


def test_an_empty_key_attribute_never_gets_into_the_old_table(world: World) -> None:
    world.make("OLD_TABLE_NAME")
    with pytest.raises(ClientError, match="empty string value"):
        world.dynamodb.put_item(TableName=world.name("OLD_TABLE_NAME"), Item=lead("x", pk=text("")))
