"""The data plane as the layers above see it; the tests' in-memory table implements the same protocol."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from service.core.item.wire import Item
from service.core.item.write import TransactItem, Write
from service.errors import Poison, Throttled

Fence = Callable[[], None]
"""Called right before every attempt of a write, retries included; what it raises (Fenced) ends the call
unsent."""


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


class InsertThrottled(Throttled):
    """Part of an impatient ``insert_many`` met throttling. ``results`` is in the order of the items; None:
    still to be written."""

    def __init__(self, message: str, results: list[bool | None]) -> None:
        super().__init__(message)
        self.results = results


class InsertRefused(Poison):
    """The server refuses some items of an ``insert_many`` for themselves; all the others are written.

    ``results`` is in the order of the items; None: refused. ``refused`` maps the item's index to its own
    Poison.
    """

    def __init__(self, results: list[bool | None], refused: dict[int, Poison]) -> None:
        first = next(iter(refused.values()))
        super().__init__(first.message, reason=first.reason, remedy=first.remedy)
        self.results = results
        self.refused = refused


class ItemStore(Protocol):
    """Reads and conditional writes. Every call is time-limited and retried with jitter on passing trouble;
    what remains is raised as Retryable (Throttled), Poison (the server refuses this one item), or Fatal
    (permission, missing table, ...)."""

    async def scan(
        self,
        table: str,
        *,
        segment: int,
        segments: int,
        start: Item | None,
        limit: int,
        consistent: bool = True,
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
        """One page of the items whose key attributes equal ``key`` (partition key, or partition and sort
        key), in sort key order."""

    async def get(self, table: str, key: Item) -> Item | None:
        """The item at ``key``, read consistently, or None."""

    async def get_many(self, table: str, keys: Sequence[Item]) -> list[Item]:
        """The items that exist at ``keys`` (any number; distinct), read consistently, in no order.
        UnprocessedKeys are asked again. Raises ValueError when a key is asked for twice."""

    async def get_together(self, reads: Sequence[tuple[str, Item]]) -> list[Item | None]:
        """What is at each (table, key), None for nothing, in the order asked, out of one atomic reading. A conflict with
        a write is retried. Raises ValueError for more than 100 reads, or when a key is asked for twice."""

    async def write(self, write: Write, *, patient: bool = True, fence: Fence | None = None) -> bool:
        """Apply one conditional write. False: the condition was refused and nothing was written *now*.

        An attempt whose answer was lost may have been applied; its retry is then refused. So False can also
        mean "already there": the apply rule takes it for a duplicate, and whoever needs to know (a lease)
        reads the item and compares.
        ``patient=False`` raises Throttled at the first throttling instead of retrying it, for callers that
        adapt their rate.
        """

    async def insert_many(
        self,
        table: str,
        items: Sequence[Item],
        key_names: tuple[str, ...],
        *,
        patient: bool = True,
        fence: Fence | None = None,
    ) -> list[bool]:
        """Insert-if-absent of up to 25 items with distinct keys, in one request where the server has PartiQL.
        False: the key was taken.

        Raises InsertRefused when the server refuses items for themselves, only after all others are written.
        ``patient=False`` raises InsertThrottled, after settling what it can, instead of retrying throttled
        items.
        """

    async def transact(self, items: Sequence[TransactItem], *, fence: Fence | None = None) -> bool:
        """All or nothing (at most 100). False: a condition was refused. Conflicts and throttling inside it
        are retried under one idempotency token, so a lost answer is no ambiguity here (for ten minutes)."""


IteratorType = Literal["TRIM_HORIZON", "AFTER_SEQUENCE_NUMBER", "LATEST"]


class StreamStore(Protocol):
    """The DynamoDB Streams API."""

    async def describe_stream(self, arn: str, *, children_of: str | None = None) -> StreamDescription:
        """The stream with all its shards (every page), or with ``children_of`` only the children of that
        shard (ShardFilter CHILD_SHARDS). Raises StreamGone when the ARN does not exist."""

    async def shard_iterator(self, arn: str, shard_id: str, kind: IteratorType, sequence: str | None = None) -> str:
        """An iterator, good for 15 minutes. Raises Trimmed when the position lies before the trim horizon,
        StreamGone when shard or stream is gone."""

    async def get_records(self, iterator: str, limit: int = 1000) -> RecordsPage:
        """The next records of a shard, in order. Raises IteratorExpired (open it again), Trimmed,
        StreamGone."""
