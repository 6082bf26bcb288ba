"""The requests to one stream. They wait out passing trouble; lost data is reported with table, shard and remedy."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import TypeVar

from service.dynamodb.protocol import RecordsPage, StreamDescription, StreamStore
from service.errors import GAP_REMEDY, StreamGone, Trimmed
from service.streams.retry import StreamRetry

Result = TypeVar("Result")

DESCRIBE_SECONDS = 0.6
"""From one DescribeStream to the next, of a stream whose listing has several pages. DynamoDB allows an account ten a second
(https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/ServiceQuotas.html), and others read streams too."""


class StreamRequests:
    """DescribeStream, GetShardIterator and GetRecords of the stream ``arn`` of ``table``."""

    def __init__(self, store: StreamStore, arn: str, table: str, retry: StreamRetry) -> None:
        self._store = store
        self._arn = arn
        self.retry = retry
        self.table = table
        self._describing = asyncio.Lock()
        self._several_pages = False
        self._described_at = 0.0

    async def describe(self, *, children_of: str | None = None, after: str | None = None) -> StreamDescription:
        """The stream's listing, all pages; or only the children of a shard, or what is listed after one.

        Raises StreamGone also when the stream is switched off: what is written to the table since then is in no stream, or in
        one with another ARN.
        """
        page = await self._describe_page(children_of, after)
        shards = page.shards
        while page.next_after is not None:
            self._several_pages = True
            page = await self._describe_page(children_of, page.next_after)
            shards += page.shards
        return replace(page, shards=shards)

    async def _describe_page(self, children_of: str | None, after: str | None) -> StreamDescription:
        async with self._describing:
            clock = self.retry.clock
            if self._several_pages:
                await clock.sleep(self._described_at + DESCRIBE_SECONDS - clock.monotonic())
            self._described_at = clock.monotonic()
        page = await self._send(
            lambda: self._store.describe_stream(self._arn, children_of=children_of, after=after, whole=False)
        )
        if page.status in ("DISABLING", "DISABLED"):
            raise self.gone(f"the stream is {page.status}")
        return page

    async def open(self, shard_id: str, sequence: str | None) -> str:
        """An iterator right after ``sequence``, or at the trim horizon. Raises Trimmed, StreamGone."""
        if sequence is None:
            return await self._send(lambda: self._store.shard_iterator(self._arn, shard_id, "TRIM_HORIZON"), shard_id)
        return await self._send(
            lambda: self._store.shard_iterator(self._arn, shard_id, "AFTER_SEQUENCE_NUMBER", sequence),
            shard_id,
        )

    async def read(self, shard_id: str, iterator: str) -> RecordsPage:
        """The next records. Raises IteratorExpired, Trimmed, StreamGone."""
        return await self._send(lambda: self._store.get_records(iterator), shard_id)

    def trimmed(self, why: str, shard_id: str | None = None) -> Trimmed:
        """The error for unread changes that are too old to be read."""
        return Trimmed(self._message(why, shard_id), remedy=GAP_REMEDY)

    def gone(self, why: str, shard_id: str | None = None) -> StreamGone:
        """The error for a shard or stream that no longer exists."""
        return StreamGone(self._message(why, shard_id), remedy=GAP_REMEDY)

    def _message(self, why: str, shard_id: str | None) -> str:
        where = f"table {self.table}, " + (f"shard {shard_id}" if shard_id else f"stream {self._arn}")
        return f"{where}: {why}; changes may be missing"

    async def _send(self, request: Callable[[], Awaitable[Result]], shard_id: str | None = None) -> Result:
        try:
            return await self.retry(request)
        except Trimmed as error:
            raise self.trimmed("unread changes are older than 24 hours and gone", shard_id) from error
        except StreamGone as error:
            raise self.gone("no longer there although unread", shard_id) from error
