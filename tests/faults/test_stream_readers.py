"""What preflight says of those who read the old table's stream beside tablesplit."""

from types import SimpleNamespace
from typing import Any, cast

import pytest

from service.app import App
from service.config import Settings
from service.dynamodb.control_plane import ControlPlane
from service.migration.preflight.sample_checks import PreflightCheck
from service.migration.preflight.stream_checks import check_readers, readers_of
from tests.builders.planes import open_plane, plane_settings
from tests.builders.small_crm import MAPPING
from tests.fakes.aws_account import Answer, Refusal, aws_account, denied
from tests.fakes.old_table_answers import PLAIN, STREAM, WITH_STREAM, answers

FUNCTION = "arn:aws:lambda:ap-southeast-2:123456789012:function:search"
SHARDS = ["shardId-00000001", "shardId-00000002"]
LEASES = {
    **PLAIN,
    "KeySchema": [{"AttributeName": "leaseKey", "KeyType": "HASH"}],
    "AttributeDefinitions": [{"AttributeName": "leaseKey", "AttributeType": "S"}],
}
STREAM_DESCRIPTION = {
    "StreamArn": STREAM,
    "StreamStatus": "ENABLED",
    "StreamViewType": "NEW_AND_OLD_IMAGES",
    "Shards": [{"ShardId": shard, "SequenceNumberRange": {"StartingSequenceNumber": "1"}} for shard in SHARDS],
}


def table(request: dict[str, Any]) -> dict[str, Any]:
    """The old table, and other applications' tables."""
    name = request["TableName"]
    return {"Table": {**PLAIN, **WITH_STREAM} if name == "old" else {**LEASES, "TableName": name}}


def lease(request: dict[str, Any]) -> dict[str, Any]:
    """``indexer`` holds a lease of the newest shard; ``clicks`` reads another stream."""
    mine = request["TableName"] == "indexer" and request["Key"]["leaseKey"]["S"] == SHARDS[-1]
    return {"Item": {"leaseKey": {"S": SHARDS[-1]}}} if mine else {}


async def checks(monkeypatch: pytest.MonkeyPatch, **changes: Answer | Refusal) -> list[PreflightCheck]:
    """The checks of the stream's readers, when AWS answers with ``changes``."""
    told = answers(**{"DescribeTable": table, "DescribeStream": {"StreamDescription": STREAM_DESCRIPTION}, **changes})
    with aws_account() as account:
        account.begin(monkeypatch, told)
        plane = ControlPlane(plane_settings(account.url))
        old = plane.describe_table("old")
        assert old is not None
        async with open_plane(account.url) as store:
            app = SimpleNamespace(
                tables=SimpleNamespace(plane=plane),
                store=store,
                mapping=MAPPING,
                settings=Settings(control_table="control"),
            )
            return check_readers(await readers_of(cast(App, app), old))


async def test_each_other_reader_is_named_and_two_are_too_many(monkeypatch: pytest.MonkeyPatch) -> None:
    (check,) = await checks(
        monkeypatch,
        ListEventSourceMappings={"EventSourceMappings": [{"UUID": "1", "FunctionArn": FUNCTION}]},
        ListPipes={"Pipes": [{"Name": "to-bus", "Source": STREAM}]},
        ListTables={"TableNames": ["clicks", "indexer", "old", "tablesplit-kcl-old"]},
        GetItem=lease,
    )
    assert (check.name, check.verdict) == ("stream readers", "note")
    assert check.value == (
        f"Lambda {FUNCTION}; pipe to-bus; KCL table indexer: with sync more than the 2 that a shard allows"
    )
    assert check.remedy.startswith("stop one while sync runs, or expect throttled reads; before `cutover --finish`")


async def test_one_other_reader_is_within_the_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    (check,) = await checks(monkeypatch, ListPipes={"Pipes": [{"Name": "to-bus", "Source": STREAM}]})
    assert (check.verdict, check.value) == ("note", "pipe to-bus")


async def test_nobody_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    (check,) = await checks(monkeypatch)
    assert (check.verdict, check.value) == ("ok", "no others were found")


async def test_what_may_not_be_looked_for_is_said_kind_by_kind(monkeypatch: pytest.MonkeyPatch) -> None:
    refused = {
        "ListEventSourceMappings": denied("lambda", "ListEventSourceMappings"),
        "ListPipes": denied("pipes", "ListPipes"),
        "ListTables": denied("dynamodb", "ListTables"),
    }
    found = await checks(monkeypatch, **refused)
    assert [(check.name, check.verdict) for check in found] == [
        ("stream readers", "ok"),
        ("readers (Lambda)", "note"),
        ("readers (pipe)", "note"),
        ("readers (KCL table)", "note"),
    ]
    assert "no permission for lambda:ListEventSourceMappings" in found[1].value


async def test_leases_that_may_not_be_read_make_a_table_perhaps_a_reader(monkeypatch: pytest.MonkeyPatch) -> None:
    tables = {"TableNames": ["old", "clicks"]}
    (check,) = await checks(monkeypatch, ListTables=tables, GetItem=denied("dynamodb", "GetItem"))
    assert (check.verdict, check.value) == ("note", "KCL table clicks (perhaps: its leases could not be read)")
