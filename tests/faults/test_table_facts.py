"""What preflight says of an old table, for each thing that AWS's answers may say that it has."""

from collections.abc import Iterator
from typing import Any

import pytest

from service.core.mapping.mapping import Mapping, load_mapping
from service.dynamodb.control_plane import ControlPlane
from service.dynamodb.table_facts import read_facts
from service.migration.preflight.sample_checks import PreflightCheck
from service.migration.preflight.stream_checks import check_stack
from service.migration.preflight.table_checks import JUDGES, OldTableFacts, table_checks
from tests.builders.planes import plane_settings
from tests.builders.small_crm import MAPPING
from tests.fakes.aws_account import Answer, AwsAccount, Refusal, aws_account
from tests.fakes.old_table_answers import KEY, SCALED, answers, recovery, tags

EXPIRING_TEXT = """
version: 1
name: expiring
old: {table: {variable: OLD, default: old}, partition_key: pk, sort_key: sk, entity: entity_type}
entities:
  LEAD:
    table: {variable: LEADS, default: leads}
    old_key: {pk: "LEAD#{id}", sk: METADATA}
    key: {PK: "{id}"}
    unmapped: gather into more
    fields:
      id: {type: string, required: true}
      gone_at: {type: int, aliases: [expires]}
"""
EXPIRING = load_mapping(EXPIRING_TEXT, source="expiring.yaml")


def key_of(manager: str) -> Answer:
    return {"KeyMetadata": {"KeyId": "0b1c2d3e", "Arn": KEY, "KeyManager": manager}}


def ttl(attribute: str) -> dict[str, Any]:
    return {
        "DescribeTimeToLive": {"TimeToLiveDescription": {"TimeToLiveStatus": "ENABLED", "AttributeName": attribute}}
    }


ENCRYPTED = {"SSEDescription": {"Status": "ENABLED", "SSEType": "KMS", "KMSMasterKeyArn": KEY}}
PROVISIONED = {
    "BillingModeSummary": {"BillingMode": "PROVISIONED"},
    "ProvisionedThroughput": {"ReadCapacityUnits": 50, "WriteCapacityUnits": 20},
}
ABROAD = [{"RegionName": region, "ReplicaStatus": "ACTIVE"} for region in ("ap-southeast-2", "eu-west-1")]
KINESIS = {"StreamArn": "arn:aws:kinesis:ap-southeast-2:123456789012:stream/audit", "DestinationStatus": "ACTIVE"}

HAS: dict[str, tuple[dict[str, Any], dict[str, Any], str, str, str, str]] = {
    # what the description has more; other answers; check, verdict, what its value and its remedy say
    "a customer managed key": (
        ENCRYPTED,
        {"DescribeKey": key_of("CUSTOMER")},
        *("own key", "note", f"{KEY}: create-tables uses it for v2", "kms:Decrypt"),
    ),
    "the key that AWS manages": (
        ENCRYPTED,
        {"DescribeKey": key_of("AWS")},
        *("own key", "ok", "AWS manages it", ""),
    ),
    "a key that may not be described": (
        ENCRYPTED,
        {},
        *("own key", "note", "could not be read: DescribeKey on", "kms:Decrypt"),
    ),
    "point-in-time recovery": (
        {},
        {"DescribeContinuousBackups": recovery("ENABLED", RecoveryPeriodInDays=7)},
        *("recovery", "ok", "on for 7 days", ""),
    ),
    "time to live that the mapping does not carry": (
        {},
        ttl("expires"),
        *("time to live", "note", "expires, which is not a number in leads: ", "a field of type int"),
    ),
    "local indexes": (
        {"LocalSecondaryIndexes": [{"IndexName": "byDate"}, {"IndexName": "byName"}]},
        {},
        *("local indexes", "note", "byDate, byName", "give the mapping a (global) index"),
    ),
    "deletion protection": (
        {"DeletionProtectionEnabled": True},
        {},
        *("deletion protection", "ok", "create-tables turns it on", ""),
    ),
    "tags of its owner": (
        {},
        {"ListTagsOfResource": tags(team="crm", aws_x="1")},
        *("tags", "ok", "1: create-tables sets them", ""),
    ),
    "another table class": (
        {"TableClassSummary": {"TableClass": "STANDARD_INFREQUENT_ACCESS"}},
        {},
        *("table class", "note", "STANDARD_INFREQUENT_ACCESS", "--table-class"),
    ),
    "provisioned units": (
        PROVISIONED,
        {},
        "provisioned",
        "note",
        "50 read, 20 write units a second, not scaled",
        "max",
    ),
    "provisioned units that scale": (
        PROVISIONED,
        {"DescribeScalableTargets": {"ScalableTargets": [SCALED, SCALED]}},
        *("provisioned", "note", "scaled by Application Auto Scaling: table/old;", "--max-read-units"),
    ),
    "a resource policy": (
        {},
        {"GetResourcePolicy": {"Policy": "{}", "RevisionId": "1"}},
        *("resource policy", "note", "v2 gets none", "put-resource-policy"),
    ),
    "replicas": ({"Replicas": ABROAD}, {}, "replicas", "note", "eu-west-1: v2", "add v2's replicas"),
    "strong consistency": (
        {"Replicas": ABROAD, "MultiRegionConsistency": "STRONG"},
        {},
        *("strong consistency", "blocked", "ReplicatedWriteConflictException", "cannot migrate"),
    ),
    "a Kinesis stream": (
        {},
        {"DescribeKinesisStreamingDestination": {"TableName": "old", "KinesisDataStreamDestinations": [KINESIS]}},
        *("kinesis", "note", "stream/audit: those of v2 do not", "enable-kinesis"),
    ),
}


class World:
    """One account, whose clients are made once; each test tells it what to answer."""

    def __init__(self, account: AwsAccount) -> None:
        self.account = account
        self.plane = ControlPlane(plane_settings(account.url))

    def checks(
        self, patch: pytest.MonkeyPatch, told: dict[str, Answer | Refusal], mapping: Mapping = MAPPING
    ) -> list[PreflightCheck]:
        """Preflight's checks of the table itself, when AWS has ``told`` this."""
        self.account.begin(patch, told)
        table = self.plane.describe_table("old")
        assert table is not None
        facts = read_facts(self.plane, table)
        return [*table_checks(OldTableFacts(table, facts, mapping)), *check_stack(facts.tags)]


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    with pytest.MonkeyPatch.context() as patch, aws_account() as account:
        patch.setenv("AWS_ACCESS_KEY_ID", "test")
        patch.setenv("AWS_SECRET_ACCESS_KEY", "test")
        yield World(account)


@pytest.mark.parametrize("thing", HAS)
def test_it_says_what_the_table_has_and_what_to_do(world: World, monkeypatch: pytest.MonkeyPatch, thing: str) -> None:
    table, more, name, verdict, value, remedy = HAS[thing]
    found = {check.name: check for check in world.checks(monkeypatch, answers(table, **more))}
    assert found[name].verdict == verdict
    assert value in found[name].value
    assert remedy in found[name].remedy
    assert bool(found[name].remedy) == (verdict != "ok")


def test_of_a_plain_table_one_line_says_what_was_looked_for(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    (only,) = world.checks(monkeypatch, answers())
    assert (only.name, only.value, only.verdict) == ("not there", ", ".join(JUDGES), "ok")


def test_each_call_that_is_refused_hides_one_fact_and_blocks_nothing(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    (*hidden, absent) = world.checks(monkeypatch, {"DescribeTable": answers(PROVISIONED)["DescribeTable"]})
    assert {check.verdict for check in hidden} == {"note"}
    assert [check.name for check in hidden] == [
        *("recovery", "time to live", "tags", "provisioned", "resource policy", "kinesis")
    ]
    assert all("could not be read: " in check.value for check in hidden)
    assert hidden[0].value == (
        "could not be read: DescribeContinuousBackups on old: no permission for dynamodb:DescribeContinuousBackups"
    )
    assert "to the policy of arn:aws:sts::123456789012:assumed-role/operator/eve" in hidden[0].remedy
    assert (
        absent.value
        == "own key, local indexes, old indexes, deletion protection, table class, replicas, strong consistency"
    )


def test_what_expires_is_carried_under_the_field_s_name(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    (check,) = [
        check
        for check in world.checks(monkeypatch, answers(**ttl("expires")), EXPIRING)
        if check.name == "time to live"
    ]
    assert (check.verdict, check.value) == ("ok", "by expires: create-tables turns it on for v2, too")


@pytest.mark.parametrize(
    ("told", "value"),
    [
        ({}, "leads by gone_at: `complete` turns it on, since old items do not expire by it"),
        (ttl("other"), "leads by gone_at: `complete` turns it on, since old items do not expire by it"),
        (ttl("expires"), "by expires: create-tables turns it on for v2, too"),
    ],
)
def test_what_only_v2_expires_by_waits_for_complete(
    world: World, monkeypatch: pytest.MonkeyPatch, told: dict[str, Any], value: str
) -> None:
    stated = load_mapping(EXPIRING_TEXT.replace("unmapped:", "ttl: gone_at\n    unmapped:"), source="expiring.yaml")
    found = {check.name: check for check in world.checks(monkeypatch, answers(**told), stated)}
    assert (found["time to live"].verdict, found["time to live"].value) == ("ok", value)


def test_a_table_of_a_stack_is_named_with_what_to_add_there(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    of_stack = {"Key": "aws:cloudformation:stack-name", "Value": "crm-prod"}
    of_resource = {"Key": "aws:cloudformation:logical-id", "Value": "CrmTable"}
    told = answers(ListTagsOfResource={"Tags": [of_stack, of_resource]})
    check = next(check for check in world.checks(monkeypatch, told) if check.name == "cloudformation")
    assert (check.verdict, check.value) == ("note", "manages the table, as CrmTable in stack crm-prod")
    assert "StreamSpecification: {StreamViewType: NEW_AND_OLD_IMAGES}" in check.remedy


def test_a_list_is_read_to_its_end(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def page(request: dict[str, Any]) -> dict[str, Any]:
        if "NextToken" in request:
            return {"Tags": [{"Key": "b", "Value": "2"}]}
        return {"Tags": [{"Key": "a", "Value": "1"}], "NextToken": "more"}

    found = {check.name: check.value for check in world.checks(monkeypatch, answers(ListTagsOfResource=page))}
    assert found["tags"].startswith("2: ")
