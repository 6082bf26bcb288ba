"""The kcl stream engine: this worker's part in reading the streams of a lane, and where all workers stand together."""

import asyncio
from typing import NoReturn

from service.streams.engine import EngineSnapshot, ShardSink
from service.streams.kcl.census import Census
from service.streams.kcl.reader import KclReader


class KclEngine:
    """A StreamEngine. ``reader`` lives longer than it: another engine with another sink may follow. ``census``: in the one worker
    that counts for all; the others know of their own shards only, and of no round."""

    def __init__(self, reader: KclReader, sink: ShardSink, census: Census | None) -> None:
        self._reader = reader
        self._sink = sink
        self._census = census

    async def run(self) -> NoReturn:
        """Apply until cancelled; then every position that was applied is saved. What stops a shard is raised where the reader was
        opened; raises Fatal when the census finds that going on could skip a record."""
        async with self._reader.slot.filled(self._sink, self._reader.save_applied):
            if self._census is not None:
                await self._census.run()
            await asyncio.Event().wait()
        raise AssertionError("an engine does not end by itself")

    def snapshot(self) -> EngineSnapshot:
        """Where it stands now."""
        return self._reader.snapshot() if self._census is None else self._census.snapshot()
