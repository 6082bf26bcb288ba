"""The wait for a stream that its own endpoint does not know yet."""

from typing import Any

import pytest

from service.dynamodb.protocol import StreamDescription
from service.dynamodb.table_description import TableDescription, table_description
from service.dynamodb.table_waits import until_stream_enabled
from service.errors import Fatal, StreamGone
from tests.builders.planes import WaitlessClock

ARN = "arn:aws:dynamodb:ap-southeast-2:1:table/old/stream/of-today"
DESCRIBED = {
    "TableName": "old",
    "TableArn": "arn:aws:dynamodb:ap-southeast-2:1:table/old",
    "TableStatus": "ACTIVE",
    "KeySchema": [{"AttributeName": "pk", "KeyType": "HASH"}],
    "AttributeDefinitions": [{"AttributeName": "pk", "AttributeType": "S"}],
    "LatestStreamArn": ARN,
    "StreamSpecification": {"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"},
}


class Tables:
    def describe_table(self, name: str) -> TableDescription:
        return table_description(DESCRIBED)


class Streams:
    """An endpoint that does not know the stream the first ``unknown`` times."""

    def __init__(self, unknown: int) -> None:
        self.unknown = unknown

    async def describe_stream(self, arn: str) -> StreamDescription:
        self.unknown -= 1
        if self.unknown >= 0:
            raise StreamGone("Requested resource not found")
        return StreamDescription(arn, "ENABLED", "NEW_AND_OLD_IMAGES", ())


async def wait(unknown: int) -> WaitlessClock:
    clock = WaitlessClock()
    control: Any = Tables()
    streams: Any = Streams(unknown)
    await until_stream_enabled(control, streams, "old", clock, 60)
    return clock


async def test_a_stream_that_its_endpoint_does_not_know_yet_is_waited_for() -> None:
    assert (await wait(3)).waits == [1.0] * 3


async def test_the_wait_for_a_stream_has_a_deadline() -> None:
    with pytest.raises(Fatal, match="has no ENABLED stream yet after 60 s"):
        await wait(1_000_000)
