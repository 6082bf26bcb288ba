"""The data plane as the packages above see it. The tests' in-memory table implements the same protocols."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple, Protocol

from service.core.item.wire import Item
from service.core.item.write import TransactItem, Update, Write
from service.errors import Limit, Poison, Throttled

Fence = Callable[[], None]
"""Called right before every attempt of a write, retries included. When it raises (Fenced), nothing more is sent."""


@dataclass(frozen=True, slots=True)
class Page:
    """One page of a Scan or Query."""

    items: list[Item]
    last_key: Item | None
    """The start of the next page; None: this page is the last."""
    consumed_units: float
    """Capacity units."""


@dataclass(frozen=True, slots=True)
class ShardDescription:
    """A shard as DescribeStream lists it."""

    shard_id: str
    parent_id: str | None
    starting: str
    """The first sequence number."""
    ending: str | None
    """The last sequence number; None while the shard is open."""


@dataclass(frozen=True, slots=True)
class StreamDescription:
    """A stream as DescribeStream describes it."""

    arn: str
    status: str
    """ENABLING, ENABLED, DISABLING or DISABLED."""
    view_type: str
    shards: tuple[ShardDescription, ...]
    next_after: str | None = None
    """The shard after which the next page begins; None: this is the last page."""


@dataclass(frozen=True, slots=True)
class RecordsPage:
    """One GetRecords answer."""

    records: list[dict[str, object]]
    """As DynamoDB sends them; ``change.parse_record`` reads one."""
    next_iterator: str | None
    """None: the shard has ended."""


WriteOutcome = Literal["written", "refused", "unknown"]


class InsertThrottled(Throttled):
    """Some items of an impatient ``insert_many`` were throttled.

    ``results`` is in the order of the items; None: still to be written.
    """

    def __init__(
        self, message: str, results: list[bool | None], *, limit: Limit = "not_said", remedy: str = ""
    ) -> None:
        super().__init__(message, limit=limit, remedy=remedy)
        self.results = results


class InsertRefused(Poison):
    """The server refuses some items of an ``insert_many`` themselves; all other items are settled.

    ``results`` is in the order of the items; None: refused. ``refused`` has the Poison of each refused item, by its index.
    """

    def __init__(self, results: list[bool | None], refused: dict[int, Poison]) -> None:
        first = next(iter(refused.values()))
        super().__init__(first.message, reason=first.reason, remedy=first.remedy)
        self.results = results
        self.refused = refused


class ItemStore(Protocol):
    """Reads and conditional writes.

    Every call has a time limit, and temporary failures are retried with jitter. A call that still fails raises Retryable
    (Throttled), Poison (the server refuses this one item), or Fatal (permission, missing table, ...).
    """

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
        """One page of a parallel Scan: at most ``limit`` items are evaluated. ``start`` None: from the beginning of the segment."""

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
        """One page of the items whose key attributes equal ``key`` (partition key, or both keys), in sort key order."""

    async def get(self, table: str, key: Item) -> Item | None:
        """The item at ``key``, read consistently; None when there is none."""

    async def get_many(self, table: str, keys: Sequence[Item]) -> list[Item]:
        """The items that exist at ``keys`` (any number, distinct), read consistently, in no order. Keys that the server leaves
        unprocessed are requested again. Raises ValueError when a key is given twice."""

    async def write(self, write: Write, *, patient: bool = True, fence: Fence | None = None) -> bool:
        """Apply one conditional write. False: the condition was refused, and the last attempt wrote nothing.

        An attempt whose answer was lost may have been applied; its retry is then refused. So False can also mean that the write is
        already there: the guarded rule counts it as a duplicate, and a caller that must know (a lease) reads the item and compares.
        ``patient=False`` raises Throttled at the first throttling instead of retrying, for callers that adapt their rate.
        """

    async def try_write(self, write: Write, *, fence: Fence | None = None) -> WriteOutcome:
        """As ``write``, for a caller that must know: ``written``; ``refused``: certainly not made; ``unknown``: refused after
        an attempt whose answer was lost, which may have been applied."""

    async def insert_many(
        self,
        table: str,
        items: Sequence[Item],
        key_names: tuple[str, ...],
        *,
        patient: bool = True,
        fence: Fence | None = None,
    ) -> list[bool]:
        """Insert up to 25 items with distinct keys, each only if its key is free; in one request where the server has PartiQL.

        The results are in the order of the items. False: the key was taken. Raises InsertRefused when the server refuses some
        items themselves, once all others are settled. ``patient=False`` raises InsertThrottled instead of retrying throttled
        items, once the others are settled.
        """

    async def transact(self, items: Sequence[TransactItem], *, fence: Fence | None = None) -> bool:
        """Apply all of at most 100 writes, or none. False: a condition was refused.

        Conflicts and throttling are retried under one idempotency token, valid for ten minutes. So a retry after a lost answer
        gives the true result.
        """


class AskedWrite(NamedTuple):
    """A conditional update that somebody waits for."""

    write: Update
    outcome: asyncio.Future[WriteOutcome]
    """Done: nobody waits for it any more, so it is not sent again."""


class BatchStore(ItemStore, Protocol):
    """An ``ItemStore`` that can make several updates in one request."""

    async def try_write_many(self, table: str, asked: Sequence[AskedWrite], *, fence: Fence | None = None) -> None:
        """Make up to 25 updates of distinct items of ``table``, each by itself as ``try_write`` does; in one request where the
        server has PartiQL. Each gets its outcome, or its error, as soon as it is known. Raises the error of those that are left.
        """


IteratorType = Literal["TRIM_HORIZON", "AFTER_SEQUENCE_NUMBER", "LATEST"]


class StreamStore(Protocol):
    """The DynamoDB Streams API."""

    async def describe_stream(
        self, arn: str, *, children_of: str | None = None, after: str | None = None, whole: bool = True
    ) -> StreamDescription:
        """The stream with all its shards, or with only the children of shard ``children_of`` (ShardFilter CHILD_SHARDS).

        after: begin behind this shard (ExclusiveStartShardId). whole: every page; otherwise one request, which lists 100 shards at
        most. Raises StreamGone when the ARN does not exist.
        """

    async def shard_iterator(self, arn: str, shard_id: str, kind: IteratorType, sequence: str | None = None) -> str:
        """An iterator, valid for 15 minutes. Raises Trimmed when the position is before the trim horizon, StreamGone when shard or
        stream does not exist."""

    async def get_records(self, iterator: str, limit: int = 1000) -> RecordsPage:
        """The next records of a shard, in order. Raises IteratorExpired (get a new iterator), Trimmed, StreamGone."""
