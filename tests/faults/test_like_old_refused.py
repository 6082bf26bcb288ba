"""create-tables never makes a table that is worse than the old one because something could not be read."""

from collections.abc import Iterator
from typing import Any

import pytest

from service.dynamodb.control_plane import ControlPlane
from service.dynamodb.like_old import LikeOld, with_extras
from service.dynamodb.table_description import NewTable, create_table_request
from service.errors import Refused
from tests.builders.planes import plane_settings
from tests.builders.small_crm import MAPPING
from tests.fakes.aws_account import AwsAccount, aws_account, denied
from tests.fakes.old_table_answers import KEY, answers, recovery

ENCRYPTED = {"SSEDescription": {"Status": "ENABLED", "SSEType": "KMS", "KMSMasterKeyArn": KEY}}


class World:
    """One account, whose clients are made once."""

    def __init__(self, account: AwsAccount) -> None:
        self.account = account
        self.plane = ControlPlane(plane_settings(account.url))

    async def request(self, like: LikeOld) -> dict[str, Any]:
        """What CreateTable of a v2 table would ask for."""
        old = self.plane.describe_table("old")
        assert old is not None
        (table,) = await with_extras(self.plane, old, MAPPING, [NewTable("leads", ("PK", "SK"))], like, "m")
        return create_table_request(table)


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    with pytest.MonkeyPatch.context() as patch, aws_account() as account:
        patch.setenv("AWS_ACCESS_KEY_ID", "test")
        patch.setenv("AWS_SECRET_ACCESS_KEY", "test")
        yield World(account)


@pytest.mark.parametrize(
    ("call", "option", "otherwise"),
    [
        ("ListTagsOfResource", "--no-tags", LikeOld(tags=False)),
        ("DescribeContinuousBackups", "--recovery or --no-recovery", LikeOld(recovery=True)),
        ("DescribeTimeToLive", "--no-ttl", LikeOld(ttl=False)),
    ],
)
async def test_what_could_not_be_read_is_refused_unless_it_is_said(
    world: World, monkeypatch: pytest.MonkeyPatch, call: str, option: str, otherwise: LikeOld
) -> None:
    world.account.begin(monkeypatch, answers(**{call: denied("dynamodb", call)}))
    with pytest.raises(
        Refused, match=f"could not be read: {call} on old: no permission for dynamodb:{call}"
    ) as refused:
        await world.request(LikeOld())
    assert refused.value.remedy.endswith(f"or say yourself what v2 gets: tablesplit create-tables {option}")
    assert await world.request(otherwise)


async def test_a_customer_s_key_is_named_and_the_one_of_aws_is_not(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    for manager, more in (("CUSTOMER", {"KMSMasterKeyId": KEY}), ("AWS", {})):
        described = {"KeyMetadata": {"KeyId": "1", "KeyManager": manager}}
        world.account.begin(monkeypatch, answers(ENCRYPTED, DescribeKey=described))
        assert (await world.request(LikeOld()))["SSESpecification"] == {"Enabled": True, "SSEType": "KMS", **more}


async def test_a_key_that_may_not_be_described_is_used(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.account.begin(monkeypatch, answers(ENCRYPTED))
    assert (await world.request(LikeOld()))["SSESpecification"]["KMSMasterKeyId"] == KEY


async def test_tags_of_aws_are_left_and_a_fifty_first_is_not_added(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = [{"Key": f"t{number}", "Value": "1"} for number in range(50)]
    world.account.begin(monkeypatch, answers(ListTagsOfResource={"Tags": [*found, {"Key": "aws:x", "Value": "1"}]}))
    assert sorted(tag["Key"] for tag in (await world.request(LikeOld()))["Tags"]) == sorted(tag["Key"] for tag in found)


async def test_nothing_is_read_for_a_plain_table(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.account.begin(monkeypatch, answers(DescribeContinuousBackups=recovery("ENABLED")))
    assert "Tags" not in await world.request(LikeOld(everything=False))
    assert [operation for operation, _ in world.account.received] == ["DescribeTable"]
