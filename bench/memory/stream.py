"""The stream of the memory server's old table: an update of each item, dealt out to its shards."""

from collections.abc import Iterator
from typing import Any

import orjson

from bench.items import OLD, Kinds

Request = dict[str, Any]

CHANGED = {"updated_at": {"S": "2018-01-01T00:00:00Z"}}
"""What each change sets."""

ITERATOR = "bench|"
FIRST = 10**20
"""The first sequence number."""


SHARD = "shardId-00000001700000000000-bench"


class MemoryStream:
    """Answers GetShardIterator and GetRecords, and, with several shards, DescribeStream.

    An iterator begins after the change that is asked for, or at the first one. A single shard may have any name.
    """

    def __init__(self, kinds: Kinds, items: int, shards: int, created: int) -> None:
        """``created``: epoch seconds of every change."""
        self._kinds = kinds
        self._items = items
        self._shards = shards
        self._created = created

    def description(self, request: Request) -> bytes | None:
        """The answer to a DescribeStream; None: a single shard is described by the server that has the control table."""
        if self._shards == 1:
            return None
        listed = [] if "ShardFilter" in request else [f"{SHARD}{number:04d}" for number in range(self._shards)]
        numbers = {"StartingSequenceNumber": str(FIRST)}
        about = {"StreamArn": request["StreamArn"], "StreamLabel": "bench", "StreamStatus": "ENABLED"}
        view = {"StreamViewType": "NEW_AND_OLD_IMAGES", "TableName": request["StreamArn"].split("/")[1]}
        shards = [{"ShardId": shard, "SequenceNumberRange": numbers} for shard in listed]
        return orjson.dumps({"StreamDescription": {**about, **view, "Shards": shards}})

    def iterator(self, request: Request) -> bytes:
        """The answer to a GetShardIterator."""
        shard = int(request["ShardId"].removeprefix(SHARD)) if self._shards > 1 else 0
        after = request.get("SequenceNumber") if request["ShardIteratorType"] == "AFTER_SEQUENCE_NUMBER" else None
        first = shard if after is None else int(after) - FIRST + self._shards
        return orjson.dumps({"ShardIterator": f"{ITERATOR}{max(shard, first)}"})

    def records(self, request: Request) -> bytes:
        """The answer to a GetRecords. The changes of a shard are as far apart as there are shards."""
        first = int(request["ShardIterator"].removeprefix(ITERATOR))
        numbers = range(first, self._items, self._shards)[: request.get("Limit", 1000)]
        following = first + len(numbers) * self._shards
        records = b",".join(self._records(numbers))
        return b'{"Records":[%b],"NextShardIterator":"%b%d"}' % (records, ITERATOR.encode(), following)

    def _records(self, numbers: range) -> Iterator[bytes]:
        for number in numbers:
            turn, place = divmod(number, len(self._kinds.all))
            old = self._kinds.all[place].text(OLD, turn)
            yield _record(old, FIRST + number, self._created)


def _record(old: bytes, sequence: int, created: int) -> bytes:
    item = orjson.loads(old)
    new = orjson.dumps({**item, **CHANGED})
    keys = orjson.dumps({"pk": item["pk"], "sk": item["sk"]})
    about = b'"ApproximateCreationDateTime":%d,"SequenceNumber":"%d","SizeBytes":%d' % (
        created,
        sequence,
        len(old) + len(new),
    )
    images = b'"StreamViewType":"NEW_AND_OLD_IMAGES","Keys":%b,"OldImage":%b,"NewImage":%b' % (keys, old, new)
    return (
        b'{"eventID":"%032x","eventName":"MODIFY","eventVersion":"1.1","eventSource":"aws:dynamodb",'
        b'"awsRegion":"ap-southeast-2","dynamodb":{%b,%b}}' % (sequence, about, images)
    )
