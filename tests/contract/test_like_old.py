"""New tables are no worse than the old one: what create-tables gives them, on moto, as its DescribeTable and others say it."""

import asyncio
from dataclasses import dataclass, replace
from typing import Any, cast

import boto3
import pytest

from service.core.mapping.mapping import Mapping, load_mapping
from service.dynamodb.control_plane import ControlPlane
from service.dynamodb.like_old import LikeOld, made_for
from service.dynamodb.table_description import NewTable
from service.dynamodb.table_features import Warm
from service.dynamodb.tables import Tables
from service.errors import Retryable
from service.migration.preflight.table_checks import existing_table
from tests.builders.planes import WaitlessClock, plane_settings

pytestmark = pytest.mark.moto

MAPPING = """
version: 1
name: like-old
old: {table: {variable: OLD, default: old}, partition_key: pk, entity: entity_type}
entities:
  NOTE:
    table: {variable: NOTES, default: notes}
    old_key: {pk: "NOTE#{id}"}
    key: {PK: "{id}"}
    unmapped: keep
    fields: {id: {type: string, required: true}}
  FILE:
    table: {variable: FILES, default: files}
    old_key: {pk: "FILE#{id}"}
    key: {PK: "{id}"}
    unmapped: gather into more
    fields: {id: {type: string, required: true}}
"""
KEY = "arn:aws:kms:ap-southeast-2:123456789012:key/0b1c2d3e"
TAGS = [{"Key": "team", "Value": "crm"}, {"Key": "cost", "Value": "7"}]


@dataclass
class World:
    """An old table on moto with everything, and the tables of its migration."""

    mapping: Mapping
    tables: Tables
    client: Any

    def description(self, name: str) -> dict[str, Any]:
        return cast(dict[str, Any], self.client.describe_table(TableName=name)["Table"])

    def tags(self, name: str) -> dict[str, str]:
        found = self.client.list_tags_of_resource(ResourceArn=self.description(name)["TableArn"])["Tags"]
        return {tag["Key"]: tag["Value"] for tag in found}

    def recovery(self, name: str) -> tuple[str, int | None]:
        found = self.client.describe_continuous_backups(TableName=name)["ContinuousBackupsDescription"]
        recovery = found["PointInTimeRecoveryDescription"]
        return recovery["PointInTimeRecoveryStatus"], recovery.get("RecoveryPeriodInDays")

    def ttl(self, name: str) -> str | None:
        found: dict[str, str] = self.client.describe_time_to_live(TableName=name)["TimeToLiveDescription"]
        return found.get("AttributeName")

    @property
    def owner(self) -> str:
        """The migration, as the tag names it."""
        return f"{self.tables.control_table}/{self.mapping.old.table}"

    @property
    def names(self) -> list[str]:
        return [*self.mapping.tables, self.tables.control_table]


@pytest.fixture
def world(moto_server: str, table_prefix: str) -> World:
    mapping = load_mapping(MAPPING, source="m.yaml", names=lambda _, default: f"{table_prefix}{default}")
    client = boto3.client("dynamodb", endpoint_url=moto_server, region_name="ap-southeast-2")
    old = mapping.old.table
    client.create_table(
        TableName=old,
        KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "pk", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
        SSESpecification={"Enabled": True, "SSEType": "KMS", "KMSMasterKeyId": KEY},
        DeletionProtectionEnabled=True,
        Tags=TAGS,
    )
    recovery = {"PointInTimeRecoveryEnabled": True, "RecoveryPeriodInDays": 7}
    client.update_continuous_backups(TableName=old, PointInTimeRecoverySpecification=recovery)
    client.update_time_to_live(TableName=old, TimeToLiveSpecification={"Enabled": True, "AttributeName": "gone"})
    plane = ControlPlane(plane_settings(moto_server))
    tables = Tables(plane, cast(Any, None), WaitlessClock(), mapping, f"{table_prefix}control")
    return World(mapping, tables, client)


async def test_by_default_every_new_table_has_what_the_old_one_has(world: World) -> None:
    assert set((await world.tables.make_missing(LikeOld())).values()) == {"created"}
    for name in world.names:
        description = world.description(name)
        assert description["SSEDescription"]["KMSMasterKeyArn"] == KEY
        assert description["DeletionProtectionEnabled"]
        assert world.tags(name) == {"team": "crm", "cost": "7", "tablesplit:made-for": world.owner}
        assert world.recovery(name) == ("ENABLED", 7)
    notes, files, control = world.names
    assert (world.ttl(notes), world.ttl(files), world.ttl(control)) == ("gone", None, None)


@pytest.mark.parametrize(("like", "outcome"), [(LikeOld(), "created"), (LikeOld(everything=False), "exists")])
async def test_a_table_that_a_lost_answer_has_left_is_ours_by_its_tag(
    world: World, monkeypatch: pytest.MonkeyPatch, like: LikeOld, outcome: str
) -> None:
    create = world.tables.plane.create_table

    def sent_again(table: NewTable) -> None:
        create(table)
        create(table)

    monkeypatch.setattr(world.tables.plane, "create_table", sent_again)
    assert set((await world.tables.make_missing(like)).values()) == {outcome}


async def test_without_like_old_a_table_is_plain(world: World) -> None:
    await world.tables.make_missing(LikeOld(everything=False))
    for name in world.names:
        assert not world.description(name)["DeletionProtectionEnabled"]
        assert "SSEDescription" not in world.description(name)
        assert (world.tags(name), world.recovery(name)[0], world.ttl(name)) == ({}, "DISABLED", None)


async def test_each_thing_can_be_set_by_itself(world: World) -> None:
    like = LikeOld(kms_key="none", recovery=False, deletion_protection=False, tags=False, ttl=False)
    await world.tables.make_missing(like)
    assert "SSEDescription" not in world.description(world.names[0])
    assert (world.tags(world.names[0]), world.recovery(world.names[0])[0]) == ({}, "DISABLED")


async def test_and_turned_on_by_itself(world: World) -> None:
    like = LikeOld(everything=False, kms_key="alias/mine", recovery=True, deletion_protection=True, ttl=True)
    await world.tables.make_missing(like)
    name = world.names[0]
    assert "alias/mine" in world.description(name)["SSEDescription"]["KMSMasterKeyArn"]
    assert world.description(name)["DeletionProtectionEnabled"]
    assert (world.tags(name), world.recovery(name), world.ttl(name)) == ({}, ("ENABLED", 7), "gone")


async def test_warm_throughput_is_of_the_v2_tables_only(world: World) -> None:
    await world.tables.make_missing(LikeOld(everything=False, warm=Warm(writes=5_000, reads=13_000)))
    warm = [world.description(name)["WarmThroughput"] for name in world.names]
    assert [one["WriteUnitsPerSecond"] for one in warm] == [5_000, 5_000, 4_000]
    assert [one["ReadUnitsPerSecond"] for one in warm] == [13_000, 13_000, 12_000]


async def test_what_a_killed_call_left_undone_the_next_one_does(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def killed(*_: object) -> bool:
        raise Retryable("no answer", reason="timeout")

    with monkeypatch.context() as patch:
        patch.setattr(ControlPlane, "begin_recovery", killed)
        with pytest.raises(Retryable):
            await world.tables.make_missing(LikeOld())
    assert world.recovery(world.names[-1])[0] == "DISABLED"
    assert set((await world.tables.make_missing(LikeOld())).values()) == {"exists"}
    await world.tables.complete_own(LikeOld())
    assert {world.recovery(name) for name in world.names} == {("ENABLED", 7)}
    assert world.ttl(world.names[0]) == "gone"


async def test_an_existing_table_that_has_not_the_old_ones_key_is_noted_by_preflight(world: World) -> None:
    old = await world.tables.old_table()
    await world.tables.make_missing()
    for name in world.names:
        existing = await world.tables.describe(name)
        assert existing is not None
        check = existing_table(existing, old)
        assert (check.verdict, KEY in check.remedy, name in check.remedy) == ("note", True, True)
        with_key = replace(existing, features=old.features)
        assert existing_table(with_key, old).verdict == existing_table(existing, None).verdict == "ok"


async def test_a_table_that_somebody_else_made_is_left_as_it_is(world: World) -> None:
    await world.tables.make_missing()
    await world.tables.complete_own(LikeOld())
    assert {world.recovery(name)[0] for name in world.names} == {"DISABLED"}


async def test_recovery_is_asked_for_until_the_server_is_ready(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    answers = [False, False, True, True, True]
    monkeypatch.setattr(ControlPlane, "begin_recovery", lambda *_: answers.pop(0))
    await world.tables.make_missing(LikeOld())
    assert answers == []
    assert cast(WaitlessClock, world.tables.clock).waits.count(1.0) >= 2


async def test_dropping_switches_off_the_protection_that_tablesplit_copied(world: World) -> None:
    await world.tables.make_missing(LikeOld())
    existing = await world.tables.existing()
    assert await world.tables.tagged(existing) == set(world.names)
    assert await world.tables.drop(existing) == world.names
    assert world.description(world.mapping.old.table)["DeletionProtectionEnabled"]


async def test_a_table_without_the_tag_is_not_told_to_be_ours(world: World) -> None:
    await world.tables.make_missing(LikeOld())
    last = world.names[-1]
    arn = world.description(last)["TableArn"]
    await asyncio.to_thread(world.client.untag_resource, ResourceArn=arn, TagKeys=["tablesplit:made-for"])
    assert await world.tables.tagged(await world.tables.existing()) == set(world.names) - {last}


async def test_what_another_migration_made_is_not_ours(world: World) -> None:
    await world.tables.make_missing(LikeOld())
    v2 = [found for name in world.mapping.tables if (found := await world.tables.describe(name)) is not None]
    other = replace(world.tables, control_table=f"{world.tables.control_table}-b")
    assert await other.make_missing(LikeOld()) == {
        **dict.fromkeys(world.mapping.tables, "exists"),
        other.control_table: "created",
    }
    assert await other.tagged(await other.existing()) == {other.control_table}
    assert await world.tables.tagged(v2) == set(world.mapping.tables)


def test_a_migration_with_long_names_still_has_a_tag_of_its_own() -> None:
    names = {made_for("c" * 255, "o" * 255), made_for("c" * 254, "o" * 255), made_for("c", "o")}
    assert len(names) == 3
    assert all(len(name) <= 256 for name in names)
