"""Looks for our own writes in the part of a stream that its lane has not passed yet.

After a crash between a claim and its acknowledged write, the write may lie there: it was made, the application has replaced it
since, and the opposite direction has not read it yet. One search reads the stream once for all questions about writes that were
made before it.
"""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass

from service.app import App
from service.control.checkpoints import Checkpoints
from service.control.state import MigrationState
from service.core.item.change import Change, parse_record
from service.core.item.stamp import own_stamp
from service.core.item.wire import Item, key_text
from service.core.rules.ledger import is_write_of
from service.core.shards import Position
from service.errors import IteratorExpired
from service.streams.requests import StreamRequests
from service.streams.retry import StreamRetry
from service.streams.tip import Tip


@dataclass(frozen=True, slots=True)
class _Found:
    """What one search has found."""

    began: float
    stamps: frozenset[tuple[str, str]]
    """Key and stamp version of every image that carries a stamp of its own: new ones, and old ones, whose record may be behind."""


class StreamSearch:
    """Implements ``StampSearch`` for the streams of the old table and the v2 tables."""

    def __init__(self, app: App, state: MigrationState) -> None:
        self._app = app
        self._arns = dict(state.v2_streams)
        if state.stream_arn is not None:
            self._arns[app.mapping.old.table] = state.stream_arn
        self._found: dict[str, _Found] = {}
        self._searching: dict[str, asyncio.Lock] = {table: asyncio.Lock() for table in self._arns}

    async def has(self, table: str, key: Item, version: str) -> bool:
        """As ``StampSearch`` has it. The answer is as of a search that began after this was called."""
        asked = self._app.clock.monotonic()
        async with self._searching[table]:
            found = self._found.get(table)
            if found is None or found.began <= asked:
                began = self._app.clock.monotonic()
                found = self._found[table] = _Found(began, frozenset([stamp async for stamp in self._search(table)]))
        return any(name == key_text(key) and is_write_of(stamp, version) for name, stamp in found.stamps)

    async def _search(self, table: str) -> AsyncIterator[tuple[str, str]]:
        app, arn = self._app, self._arns[table]
        requests = StreamRequests(app.store, arn, table, StreamRetry(app.clock, app.metrics.count_retry))
        positions = await Checkpoints(app.control, arn, app.mapping.hash).load()
        for shard in (await requests.describe()).shards:
            position = positions.get(shard.shard_id, Position(shard.parent_id))
            if position.state == "reading":
                async for change in self._records(requests, shard.shard_id, position):
                    for image in (change.old, change.new):
                        stamp = own_stamp(image, change.key, app.mapping.stamp)
                        if stamp is not None:
                            yield key_text(change.key), stamp.version

    async def _records(self, requests: StreamRequests, shard_id: str, position: Position) -> AsyncIterator[Change]:
        """The records of a shard from ``position`` to its end."""
        sequence, tip = position.sequence, Tip()
        iterator: str | None = await requests.open(shard_id, sequence)
        while iterator is not None and not tip.reached:
            began = self._app.clock.now()
            try:
                page = await requests.read(shard_id, iterator)
            except IteratorExpired:
                iterator = await requests.open(shard_id, sequence)
                continue
            for record in page.records:
                change = parse_record(record, table=requests.table, shard_id=shard_id)
                sequence = change.sequence
                yield change
            tip.note(page, began)
            iterator = page.next_iterator
