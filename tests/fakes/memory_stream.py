"""The stream of one in-memory table: shards, splits, sequence numbers, trims."""

from dataclasses import dataclass, field
from typing import Any
from zlib import crc32

import orjson

from service.dynamodb.protocol import IteratorType, RecordsPage, ShardDescription, StreamDescription
from service.errors import StreamGone, Trimmed

FIRST_SEQUENCE = 10**21 - 2
"""Sequence numbers become one digit longer after two records, so that a comparison of unpadded ones soon fails."""


@dataclass(slots=True)
class Shard:
    """One shard: its records as JSON, how many of them are trimmed away, and its children once it has ended."""

    shard_id: str
    parent_id: str | None
    starting: int
    records: list[tuple[int, bytes]] = field(default_factory=list)
    trimmed: int = 0
    ending: int | None = None
    children: list["Shard"] = field(default_factory=list)


class MemoryStream:
    """Records of one table in shards by partition key; a key's records stay in one shard and its descendants."""

    def __init__(self, arn: str, shards: int) -> None:
        self.arn = arn
        self.next_sequence = FIRST_SEQUENCE
        self.status = "ENABLED"
        self._all: dict[str, Shard] = {}
        self._roots = [self._new_shard(None) for _ in range(shards)]

    def append(self, partition: str, key: bytes, old: bytes | None, new: bytes | None) -> str:
        """Add the record of one write; returns its sequence number."""
        shard = self._shard_of(partition)
        sequence, self.next_sequence = self.next_sequence, self.next_sequence + 1
        content: dict[str, Any] = {"Keys": orjson.Fragment(key), "SequenceNumber": str(sequence)}
        content |= {"StreamViewType": "NEW_AND_OLD_IMAGES", "ApproximateCreationDateTime": 0}
        content |= {name: orjson.Fragment(image) for name, image in (("OldImage", old), ("NewImage", new)) if image}
        event = "INSERT" if old is None else "REMOVE" if new is None else "MODIFY"
        shard.records.append((sequence, orjson.dumps({"eventName": event, "dynamodb": content})))
        return str(sequence)

    def split(self, shard_id: str, children: int = 2) -> list[str]:
        """End an open shard; its keys continue in new ones (one child: as when DynamoDB rolls a shard over)."""
        shard = self._all[shard_id]
        assert shard.ending is None, f"{shard_id} has ended"
        shard.ending, self.next_sequence = self.next_sequence, self.next_sequence + 1
        shard.children = [self._new_shard(shard_id) for _ in range(children)]
        return [child.shard_id for child in shard.children]

    def trim(self, shard_id: str, records: int) -> None:
        """Let the first ``records`` of a shard pass the trim horizon."""
        self._all[shard_id].trimmed = records

    def forget(self, shard_id: str) -> None:
        """Remove a shard from the stream, as DynamoDB does 24 hours after its end."""
        del self._all[shard_id]

    def last_sequence(self, shard_id: str) -> int:
        """The sequence number of a shard's last record; 0 for none."""
        records = self._all[shard_id].records
        return records[-1][0] if records else 0

    def describe(self, children_of: str | None) -> StreamDescription:
        """The shards listed, or only the children of one."""
        listed = tuple(
            ShardDescription(s.shard_id, s.parent_id, str(s.starting), None if s.ending is None else str(s.ending))
            for s in self._all.values()
            if children_of is None or s.parent_id == children_of
        )
        return StreamDescription(self.arn, self.status, "NEW_AND_OLD_IMAGES", listed)

    def iterator(self, shard_id: str, kind: IteratorType, sequence: str | None) -> str:
        """An opaque position in a shard."""
        shard = self._known(shard_id)
        if kind == "TRIM_HORIZON":
            index = shard.trimmed
        elif kind == "LATEST":
            index = len(shard.records)
        else:
            assert sequence is not None
            index = sum(1 for own, _ in shard.records if own <= int(sequence))
        return f"{self.arn} {shard_id} {self._untrimmed(shard, index)}"

    def read(self, shard_id: str, index: int, limit: int) -> RecordsPage:
        """Records from ``index`` on; no next iterator when that was all of an ended shard."""
        shard = self._known(shard_id)
        page = shard.records[self._untrimmed(shard, index) : index + limit]
        following = index + len(page)
        ended = shard.ending is not None and following == len(shard.records)
        return RecordsPage(
            [orjson.loads(record) for _, record in page],
            None if ended else f"{self.arn} {shard_id} {following}",
        )

    def _known(self, shard_id: str) -> Shard:
        if shard_id not in self._all:
            raise StreamGone(f"stream {self.arn}: shard {shard_id} is gone")
        return self._all[shard_id]

    def _untrimmed(self, shard: Shard, index: int) -> int:
        if index < shard.trimmed:
            raise Trimmed(f"stream {self.arn}: records of shard {shard.shard_id} that were not read are gone")
        return index

    def _new_shard(self, parent_id: str | None) -> Shard:
        shard = Shard(f"shardId-{len(self._all):08d}", parent_id, self.next_sequence)
        self._all[shard.shard_id] = shard
        return shard

    def _shard_of(self, partition: str) -> Shard:
        place = crc32(partition.encode())
        shard = self._roots[place % len(self._roots)]
        while shard.ending is not None:
            place //= 7
            shard = shard.children[place % len(shard.children)]
        return shard
