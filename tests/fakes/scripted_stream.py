"""A stream that a test scripts: splits, late listings, trims, expired iterators, throttling."""

from collections import defaultdict, deque
from dataclasses import dataclass, field
from typing import Any

from service.dynamodb.protocol import IteratorType, RecordsPage, ShardDescription, StreamDescription
from service.errors import IteratorExpired, StreamGone, Trimmed

EMPTY_PAGE = None
LISTED_AT_ONCE = 100
"""As DescribeStream does."""
Record = dict[str, Any]


@dataclass(slots=True)
class ScriptedShard:
    """Its entries are records and empty pages, in order. ``trimmed``: how many entries are past the trim horizon."""

    parent: str | None
    entries: list[Record | None] = field(default_factory=list)
    ended: bool = False
    listed: bool = True
    trimmed: int = 0


class ScriptedStream:
    """Implements StreamStore. ``calls`` lists every request; ``faults[method]`` are raised first."""

    arn = "arn:aws:dynamodb:us-east-1:1:table/old/stream/1"

    def __init__(self, page_size: int = 3) -> None:
        self.shards: dict[str, ScriptedShard] = {}
        self.status = "ENABLED"
        self.calls: list[tuple[str, str]] = []
        self.faults: defaultdict[str, deque[Exception]] = defaultdict(deque)
        self.created = 1_700_000_000.0
        self._page_size = page_size
        self._sequence = 100_000_000_000_000_000_000
        self._iterators_from = 0

    def shard(self, shard_id: str, parent: str | None = None, *, listed: bool = True) -> None:
        """Begin a shard."""
        self.shards[shard_id] = ScriptedShard(parent, listed=listed)

    def write(self, shard_id: str, *values: str, key: str = "k") -> list[str]:
        """Append one record for each value; returns their sequence numbers."""
        return [self._write(shard_id, key, value) for value in values]

    def pause(self, shard_id: str, pages: int) -> None:
        """Append empty pages, which a reader gets before the records that follow."""
        self.shards[shard_id].entries += [EMPTY_PAGE] * pages

    def split(self, shard_id: str, *children: str, listed: bool = True) -> None:
        """End the shard and begin its children."""
        self.shards[shard_id].ended = True
        for child in children:
            self.shard(child, shard_id, listed=listed)

    def day_old(self, writes: int) -> None:
        """As DescribeStream lists a stream of one partition that has been on for a day: shards of four hours, each the child of the
        one before, the first's parent gone; ``writes`` changes in each, and the last one open."""
        for number in range(6):
            self.shard(f"s{number}", f"s{number - 1}" if number else "trimmed")
            self.write(f"s{number}", *(f"s{number}-{n}" for n in range(writes)))
            self.shards[f"s{number}"].ended = number < 5

    def trim(self, shard_id: str, entries: int) -> None:
        """So many entries of the shard are older than 24 hours."""
        self.shards[shard_id].trimmed = entries

    def vanish(self, shard_id: str) -> None:
        """Let the shard become older than 24 hours."""
        del self.shards[shard_id]

    def expire_iterators(self) -> None:
        """Let every iterator given so far become older than 15 minutes."""
        self._iterators_from += 1

    async def describe_stream(
        self, arn: str, *, children_of: str | None = None, after: str | None = None, whole: bool = True
    ) -> StreamDescription:
        self._called("describe_stream", children_of or "")
        shards = [
            ShardDescription(shard_id, shard.parent, "1", "2" if shard.ended else None)
            for shard_id, shard in self.shards.items()
            if shard.listed and children_of in (None, shard.parent)
        ]
        ids = list(self.shards)
        passed = set(ids[: ids.index(after) + 1]) if after is not None else set()
        rest = [shard for shard in shards if shard.shard_id not in passed]
        page = rest if whole else rest[:LISTED_AT_ONCE]
        next_after = page[-1].shard_id if len(page) < len(rest) else None
        return StreamDescription(arn, self.status, "NEW_AND_OLD_IMAGES", tuple(page), next_after)

    async def shard_iterator(self, arn: str, shard_id: str, kind: IteratorType, sequence: str | None = None) -> str:
        self._called("shard_iterator", f"{shard_id} {kind} {sequence}")
        shard = self._existing(shard_id)
        if kind == "LATEST":
            return f"{shard_id}|{len(shard.entries)}|{self._iterators_from}"
        index = shard.trimmed if sequence is None else self._after(shard, sequence)
        return f"{shard_id}|{index}|{self._iterators_from}"

    async def get_records(self, iterator: str, limit: int = 1000) -> RecordsPage:
        shard_id, index, generation = iterator.split("|")
        self._called("get_records", shard_id)
        shard = self._existing(shard_id)
        if int(generation) < self._iterators_from:
            raise IteratorExpired("iterator expired")
        if int(index) < shard.trimmed:
            raise Trimmed("trimmed")
        records, after = self._page(shard, int(index))
        at_end = shard.ended and after == len(shard.entries)
        return RecordsPage(records, None if at_end else f"{shard_id}|{after}|{generation}")

    def _page(self, shard: ScriptedShard, index: int) -> tuple[list[Record], int]:
        records: list[Record] = []
        while index < len(shard.entries) and len(records) < self._page_size:
            entry = shard.entries[index]
            if entry is EMPTY_PAGE:
                return records, index + (not records)
            records.append(entry)
            index += 1
        return records, index

    def _write(self, shard_id: str, key: str, value: str) -> str:
        self._sequence += 7
        sequence = str(self._sequence)
        item = {"pk": {"S": key}, "value": {"S": value}}
        content = {
            "Keys": {"pk": {"S": key}},
            "SequenceNumber": sequence,
            "NewImage": item,
            "SizeBytes": 100,
            "ApproximateCreationDateTime": self.created,
        }
        self.shards[shard_id].entries.append({"eventName": "INSERT", "dynamodb": content})
        return sequence

    def _existing(self, shard_id: str) -> ScriptedShard:
        if shard_id not in self.shards:
            raise StreamGone(f"shard {shard_id} does not exist")
        return self.shards[shard_id]

    def _after(self, shard: ScriptedShard, sequence: str) -> int:
        numbers = [entry and entry["dynamodb"]["SequenceNumber"] for entry in shard.entries]
        index = numbers.index(sequence) + 1
        if index < shard.trimmed:
            raise Trimmed("trimmed")
        return index

    def _called(self, method: str, what: str) -> None:
        self.calls.append((method, what))
        if self.faults[method]:
            raise self.faults[method].popleft()
