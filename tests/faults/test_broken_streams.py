"""How the data plane handles stream requests that a server refuses, throttles, or answers page by page."""

from typing import Any

import pytest

from service.errors import (
    IteratorExpired,
    StreamGone,
    TablesplitError,
    Trimmed,
)
from tests.builders.planes import open_plane
from tests.fakes.scripted_endpoint import Reply, answer, error, fault_server

STREAM = "arn:aws:dynamodb:ap-southeast-2:1:table/Leads/stream/1"
STREAM_ERRORS: list[tuple[Reply, type[TablesplitError], str]] = [
    (
        error("ExpiredIteratorException", "x"),
        IteratorExpired,
        f"GetRecords on {STREAM}: the shard iterator has expired",
    ),
    (
        error("TrimmedDataAccessException", "x"),
        Trimmed,
        f"stream {STREAM}: records that were not read yet are gone (older than 24 hours)",
    ),
    (error("ResourceNotFoundException", "no shard"), StreamGone, f"stream {STREAM}: no shard"),
]


@pytest.mark.parametrize(("reply", "kind", "message"), STREAM_ERRORS)
async def test_stream_errors_are_distinguished_and_not_retried(
    reply: Reply, kind: type[TablesplitError], message: str
) -> None:
    async with fault_server(reply) as server, open_plane(server.url) as plane:
        with pytest.raises(kind) as caught:
            await plane.get_records(f"{STREAM}|1|abc")
        assert str(caught.value) == message
        assert len(server.received) == 1


async def test_a_throttled_stream_is_read_again() -> None:
    async with (
        fault_server(error("LimitExceededException"), answer({"Records": []})) as server,
        open_plane(server.url) as plane,
    ):
        page = await plane.get_records(f"{STREAM}|1|abc")
        assert page.records == []
        assert page.next_iterator is None


def described(last: str | None, *shards: tuple[str, str]) -> Reply:
    listed = [
        {"ShardId": name, "ParentShardId": parent, "SequenceNumberRange": {"StartingSequenceNumber": "1"}}
        for name, parent in shards
    ]
    content: dict[str, Any] = {
        "StreamStatus": "ENABLED",
        "StreamViewType": "NEW_AND_OLD_IMAGES",
        "Shards": listed,
    }
    return answer({"StreamDescription": content | ({"LastEvaluatedShardId": last} if last else {})})


async def test_every_page_of_shards_is_read() -> None:
    async with (
        fault_server(described("a", ("a", "p")), described(None, ("b", "a"))) as server,
        open_plane(server.url) as plane,
    ):
        stream = await plane.describe_stream(STREAM)
        assert [shard.shard_id for shard in stream.shards] == ["a", "b"]
        assert server.received[1].body["ExclusiveStartShardId"] == "a"


async def test_children_are_picked_when_the_server_ignores_the_filter() -> None:
    async with (
        fault_server(described(None, ("a", "p"), ("b", "a"))) as server,
        open_plane(server.url) as plane,
    ):
        stream = await plane.describe_stream(STREAM, children_of="a")
        assert [shard.shard_id for shard in stream.shards] == ["b"]
        assert server.received[0].body["ShardFilter"] == {"Type": "CHILD_SHARDS", "ShardId": "a"}
