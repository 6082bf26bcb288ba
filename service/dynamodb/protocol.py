"""The data plane as the layers above see it; the tests' in-memory table implements the same protocol."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from service.core.wire import Item
from service.core.write import TransactItem, Write


@dataclass(frozen=True, slots=True)
class Page:
    """One Scan or Query page: items, where the next page starts (None: the end), capacity units consumed."""

    items: list[Item]
    last_key: Item | None
    consumed_units: float


@dataclass(frozen=True, slots=True)
class ShardDescription:
    """A shard as DescribeStream lists it. ``ending`` is None while the shard is open."""

    shard_id: str
    parent_id: str | None
    starting: str
    ending: str | None


@dataclass(frozen=True, slots=True)
class StreamDescription:
    """A stream: its status (ENABLING, ENABLED, DISABLING, DISABLED), view type and every shard listed."""

    arn: str
    status: str
    view_type: str
    shards: tuple[ShardDescription, ...]


@dataclass(frozen=True, slots=True)
class RecordsPage:
    """One GetRecords answer: raw records in wire form, and the next iterator (None: the shard has ended)."""

    records: list[dict[str, object]]
    next_iterator: str | None


class ItemStore(Protocol):
    """Reads and conditional writes. Every call is time-limited and retried with jitter on passing trouble; what remains is raised
    as Retryable (Throttled), Poison (the server refuses this one item), or Fatal (permission, missing table, ...)."""

    async def scan(
        self, table: str, *, segment: int, segments: int, start: Item | None, limit: int, consistent: bool = True
    ) -> Page:
        """One page of a parallel Scan, at most ``limit`` items evaluated."""

    async def query(
        self,
        table: str,
        key: Item,
        *,
        index: str | None = None,
        start: Item | None = None,
        limit: int | None = None,
        consistent: bool = False,
    ) -> Page:
        """One page of the items whose key attributes equal ``key`` (partition key, or partition and sort key), in sort key order."""

    async def get(self, table: str, key: Item) -> Item | None:
        """The item at ``key``, read consistently, or None."""

    async def get_many(self, table: str, keys: Sequence[Item]) -> list[Item]:
        """The items that exist at ``keys`` (any number; distinct), read consistently, in no order. UnprocessedKeys are asked again."""

    async def write(self, write: Write) -> bool:
        """Apply one conditional write. False: the condition was refused and nothing was written."""

    async def insert_many(self, table: str, items: Sequence[Item], key_names: tuple[str, ...]) -> list[bool]:
        """Insert-if-absent of up to 25 items, in one request where the server has PartiQL. False: the key was taken.

        Throttled items are retried; an item that the server refuses for itself raises Poison naming it only after all others are written.
        """

    async def transact(self, items: Sequence[TransactItem]) -> bool:
        """All or nothing (at most 100). False: a condition was refused. Conflicts and throttling inside it are retried."""


IteratorType = Literal["TRIM_HORIZON", "AFTER_SEQUENCE_NUMBER", "LATEST"]


class StreamStore(Protocol):
    """The DynamoDB Streams API."""

    async def describe_stream(self, arn: str, *, children_of: str | None = None) -> StreamDescription:
        """The stream with all its shards (every page), or with ``children_of`` only the children of that shard
        (ShardFilter CHILD_SHARDS). Raises StreamGone when the ARN does not exist."""

    async def shard_iterator(self, arn: str, shard_id: str, kind: IteratorType, sequence: str | None = None) -> str:
        """An iterator, good for 15 minutes. Raises Trimmed when the position lies before the trim horizon, StreamGone when shard or stream is gone."""

    async def get_records(self, iterator: str, limit: int = 1000) -> RecordsPage:
        """The next records of a shard, in order. Raises IteratorExpired (open it again), Trimmed, StreamGone."""
