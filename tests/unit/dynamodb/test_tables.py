"""The tables as the control plane describes them, compared with what the mapping needs."""

from types import SimpleNamespace
from typing import Any, cast

import pytest

from service.dynamodb.table_description import table_description
from service.dynamodb.tables import Tables
from service.errors import Misconfigured
from tests.builders.small_crm import MAPPING
from tests.fakes.clocks import VirtualClock


class Plane:
    """Describes one table with the key attributes ``types``."""

    def __init__(self, **types: str) -> None:
        self.types = types

    def describe_table(self, name: str) -> object:
        schema = zip(self.types, ("HASH", "RANGE"), strict=False)
        return table_description(
            {
                "TableName": name,
                "TableArn": name,
                "TableStatus": "ACTIVE",
                "KeySchema": [{"AttributeName": attribute, "KeyType": kind} for attribute, kind in schema],
                "AttributeDefinitions": [{"AttributeName": a, "AttributeType": t} for a, t in self.types.items()],
            }
        )


class Streams:
    """Two v2 tables, ``leads`` with its stream off; every stream is ENABLED at once."""

    def __init__(self) -> None:
        self.on = {"deals"}

    def describe_table(self, name: str) -> object:
        stream = {"StreamSpecification": {"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"}}
        key = {"KeySchema": [{"AttributeName": "PK", "KeyType": "HASH"}], "AttributeDefinitions": []}
        table = {"TableName": name, "TableArn": name, "TableStatus": "ACTIVE", "LatestStreamArn": f"{name}/1", **key}
        return table_description({**table, **(stream if name in self.on else {})})

    def enable_stream(self, name: str) -> None:
        assert name not in self.on
        self.on.add(name)

    async def describe_stream(self, arn: str) -> object:
        assert arn == "leads/1"
        return SimpleNamespace(status="ENABLED")


async def test_only_a_v2_stream_that_is_off_is_enabled() -> None:
    streams = Streams()
    await Tables(cast(Any, streams), cast(Any, streams), VirtualClock(), MAPPING, "control").enable_v2_streams()
    assert streams.on == {"leads", "deals"}


async def old_table(**types: str) -> object:
    return await Tables(cast(Any, Plane(**types)), cast(Any, None), VirtualClock(), MAPPING, "control").old_table()


async def test_a_key_of_text_as_the_mapping_names_it_is_taken() -> None:
    assert await old_table(pk="S", sk="S")


@pytest.mark.parametrize(
    ("types", "message"),
    [
        ({"pk": "N", "sk": "S"}, "key attribute pk of old table old is of type N"),
        ({"pk": "S", "sk": "B"}, "key attribute sk of old table old is of type B"),
        ({"pk": "S"}, "has the key pk; the mapping says pk, sk"),
    ],
)
async def test_another_key_is_refused_before_anything_is_made(types: dict[str, str], message: str) -> None:
    with pytest.raises(Misconfigured, match=message):
        await old_table(**types)
