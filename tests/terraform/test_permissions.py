"""permissions.json against what each component really asks for, in a whole migration: nothing missing, nothing superfluous."""

import json
from typing import Any

import pytest

from service.core.item.wire import Item
from tests.terraform.program import SOURCE
from tests.terraform.scenario import OLD, Scenario, made_old_table

pytestmark = [pytest.mark.deployment, pytest.mark.moto, pytest.mark.slow]

SEARCH = ("service/sync/stream_search.py", "requests.read(")
UNSEEN = {
    ("sync", "control", "dynamodb:BatchGetItem"): ("service/dynamodb/gathered.py", "self._store.get_many("),
    **{
        ("sync", kind, f"dynamodb:PartiQL{action}"): ("service/dynamodb/partiql_writes.py", line)
        for kind in ("control", "old", "v2")
        for action, line in (("Insert", "insert_statement(update.table"), ("Update", 'UPDATE "{update.table}"'))
    },
    ("backfill", "control", "dynamodb:DeleteItem"): ("service/control/quarantine.py", "self._heads.as_delete("),
    **{
        ("operator", "account", action): ("service/dynamodb/table_facts.py", call)
        for action, call in (
            ("application-autoscaling:DescribeScalableTargets", '"describe_scalable_targets"'),
            ("kms:DescribeKey", '"describe_key"'),
            ("lambda:ListEventSourceMappings", '"list_event_source_mappings"'),
            ("pipes:ListPipes", '"list_pipes"'),
        )
    },
    ("operator", "account", "dynamodb:DescribeTable"): (
        "service/dynamodb/lease_tables.py",
        "asyncio.to_thread(plane.describe_table, name)",
    ),
    ("operator", "old", "dynamodb:DescribeKinesisStreamingDestination"): (
        "service/dynamodb/table_facts.py",
        '"describe_kinesis_streaming_destination"',
    ),
    **{
        ("operator", kind, "dynamodb:TagResource"): ("service/dynamodb/table_features.py", 'request["Tags"] = [')
        for kind in ("v2", "control")
    },
    ("operator", "old", "dynamodb:GetItem"): ("service/sync/guarded_retry.py", "store.get("),
    ("operator", "v2", "dynamodb:DeleteItem"): ("service/migration/completion.py", "write(purge_write("),
    ("operator", "old_stream", "dynamodb:GetRecords"): SEARCH,
    ("operator", "v2_stream", "dynamodb:DescribeStream"): SEARCH,
    ("operator", "v2_stream", "dynamodb:GetRecords"): SEARCH,
    ("operator", "v2_stream", "dynamodb:GetShardIterator"): SEARCH,
    ("operator", "control", "dynamodb:UpdateItem"): ("service/control/ledger.py", "return write, EntryReading("),
}
"""Calls that are made too rarely to be had here, each with the line of code that makes it."""
BEFORE_CUTOVER = "all, before the first cutover"
DEALS = "CRM-Deals-v2"
OF_KCL = ("kcl", "kcl_index")
"""Asked for with the kcl engine only: test_kcl_permissions.py."""


@pytest.fixture(scope="module")
def calls(tmp_path_factory: pytest.TempPathFactory) -> dict[str, set[tuple[str, str]]]:
    """What each component has asked for; and what all of them had asked for before the first cutover."""
    scenario = Scenario(tmp_path_factory.mktemp("calls"))
    with scenario.server():
        before = migrate(scenario)
    return scenario.calls() | {BEFORE_CUTOVER: before}


@pytest.mark.parametrize("component", ["sync", "backfill", "operator"])
def test_the_policy_has_what_is_asked_for_and_nothing_else(
    component: str, calls: dict[str, set[tuple[str, str]]]
) -> None:
    permissions = json.loads((SOURCE / "permissions.json").read_text())[component]
    granted = {
        (resource.removesuffix("_writes"), action)
        for resource, actions in permissions.items()
        if resource not in OF_KCL
        for action in actions
    }
    unseen = {(resource, action) for who, resource, action in UNSEEN if who == component}
    assert sorted(calls[component] - granted) == [], "asked for, but not granted"
    assert sorted(granted - calls[component] - unseen) == [], "granted, but never asked for"


def test_nobody_writes_the_old_table_before_the_first_cutover(calls: dict[str, set[tuple[str, str]]]) -> None:
    writes = {("old", action) for action in json.loads((SOURCE / "permissions.json").read_text())["sync"]["old_writes"]}
    assert len(writes) == 5
    assert writes & calls[BEFORE_CUTOVER] == set()
    assert {action for _, action in writes - calls["sync"]} <= {"dynamodb:PartiQLInsert", "dynamodb:PartiQLUpdate"}


@pytest.mark.parametrize(("file", "line"), UNSEEN.values())
def test_what_was_not_seen_stands_in_the_code(file: str, line: str) -> None:
    assert line in (SOURCE.parents[1] / file).read_text()


def migrate(scenario: Scenario) -> set[tuple[str, str]]:
    """There with quarantine, repair and conflict, and to the end. Returns what all had asked for before the first cutover."""
    make_old_table(scenario.application)
    started = scenario.operator("preflight", "forecast", "create-tables", "create-tables", "preflight")
    expect(started, 1, 0, 0, 0, 1)
    with scenario.sync():
        scenario.backfill()
        change_old(scenario.application)
        expect(scenario.operator("status --until-caught-up 540"), 0)
        scenario.application.delete_item(TableName=DEALS, Key=v2_key("3"))
        for name in ("bad", "worse"):
            scenario.application.put_item(TableName=OLD, Item=old_item(name))
        scenario.operator("quarantine retry --all", "validate --repair")
        expect(scenario.operator("validate"), 0)
        before = scenario.calls()
        expect(scenario.operator("cutover --yes --wait 60"), 0)
        scenario.validate_over_http()
        set_title(scenario.application, DEALS, v2_key("6"), "v2")
        set_title(scenario.application, OLD, old_key("7"), "old")
        expect(scenario.operator("status --until-caught-up 540"), 0)
    conflict(scenario.application)
    with scenario.sync():
        _, (_, listed) = scenario.operator("status --until-caught-up 540", "conflicts list")
        resolve = [f"conflicts resolve {one['id']} --keep old --yes" for one in listed["items"]]
        assert resolve
        scenario.operator(*resolve, "status --until-caught-up 540", "validate --repair")
        expect(scenario.operator("cutover --yes --finish --wait 60", "validate", "complete --yes --wait 60"), 0, 0, 0)
    return before["sync"] | before["backfill"] | before["operator"]


def make_old_table(application: Any) -> None:
    """Eight deals, and one item that the mapping does not know."""
    made_old_table(application)
    recovery = {"PointInTimeRecoveryEnabled": True}  # not on DynamoDB Local
    application.update_continuous_backups(TableName=OLD, PointInTimeRecoverySpecification=recovery)
    for number in range(8):
        application.put_item(TableName=OLD, Item=old_item(str(number)))
    application.put_item(TableName=OLD, Item=old_item("bad", "STRANGE"))


def change_old(application: Any) -> None:
    """A removal, a change, and a new item that the mapping does not know."""
    application.delete_item(TableName=OLD, Key=old_key("1"))
    set_title(application, OLD, old_key("2"), "changed")
    application.put_item(TableName=OLD, Item=old_item("worse", "STRANGE"))


def conflict(application: Any) -> None:
    """While nobody carries anything: both sides change one field, and v2 loses another item and gets a new one."""
    set_title(application, DEALS, v2_key("4"), "v2")
    set_title(application, OLD, old_key("4"), "old")
    application.delete_item(TableName=DEALS, Key=v2_key("5"))
    application.put_item(TableName=DEALS, Item=new_v2_item("9"))


def set_title(application: Any, table: str, key: Item, title: str) -> None:
    """One field of one item, as an application sets it."""
    application.update_item(
        TableName=table, Key=key, UpdateExpression="SET title = :t", ExpressionAttributeValues={":t": {"S": title}}
    )


def old_key(number: str) -> Item:
    return {"pk": {"S": f"DEAL#{number}"}, "sk": {"S": "METADATA"}}


def v2_key(number: str) -> Item:
    return {"PK": {"S": "DEAL"}, "SK": {"S": f"2024-03#{number}"}}


def new_v2_item(number: str) -> Item:
    fields = {"id": number, "title": "new", "created_at": "2024-03-01T00:00:00.000Z"}
    return v2_key(number) | {name: {"S": value} for name, value in fields.items()}


def old_item(number: str, entity: str = "DEAL") -> Item:
    fields = {"entity_type": entity, "id": number, "title": "start", "created_at": "2024-03-01T00:00:00.000Z"}
    return old_key(number) | {name: {"S": value} for name, value in fields.items()}


def expect(answers: list[tuple[int, Any]], *statuses: int) -> None:
    """Each command must have ended as said."""
    assert tuple(status for status, _ in answers) == statuses, answers
