"""The stream of the memory server's old table: one shard, with an update of each item."""

from collections.abc import Iterator
from typing import Any

import orjson

from bench.items import OLD, Kinds

CHANGED = {"updated_at": {"S": "2018-01-01T00:00:00Z"}}
"""What each change sets."""

ITERATOR = "bench|"
FIRST = 10**20
"""The first sequence number."""


class MemoryStream:
    """Answers GetShardIterator and GetRecords. Every iterator begins at the first change."""

    def __init__(self, kinds: Kinds, items: int, created: int) -> None:
        """``created``: epoch seconds of every change."""
        self._kinds = kinds
        self._items = items
        self._created = created

    def iterator(self) -> bytes:
        """The answer to a GetShardIterator."""
        return orjson.dumps({"ShardIterator": f"{ITERATOR}0"})

    def records(self, request: dict[str, Any]) -> bytes:
        """The answer to a GetRecords."""
        first = int(request["ShardIterator"].removeprefix(ITERATOR))
        last = min(first + request.get("Limit", 1000), self._items)
        records = b",".join(self._records(first, last))
        return b'{"Records":[%b],"NextShardIterator":"%b%d"}' % (records, ITERATOR.encode(), last)

    def _records(self, first: int, last: int) -> Iterator[bytes]:
        for number in range(first, last):
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
