"""The embedded stream engine: one process reads all shards of a stream, parents before children."""

import asyncio
from collections.abc import Callable

from service.core.shards import awaiting_children, may_open
from service.streams.engine import EngineSnapshot, Positions, ShardSink
from service.streams.measures import ShardMeasure, stream_snapshot, unfinished
from service.streams.requests import StreamRequests
from service.streams.rounds import Rounds
from service.streams.shard_reader import EngineSettings, ReaderContext, ShardReader
from service.streams.shards import Shards
from service.tasks import task_group

PAGES_IN_MEMORY = 32
"""Pages of at most 1 MB that are read and not applied yet, over all shards."""

CHILD_WAITS_SECONDS = (0.25, 0.5, 1.0, 2.0, 4.0)
"""How long to wait before each further request for the children of an ended shard. Children that come later are found by the
regular discovery."""


class EmbeddedEngine:
    """Implements ``StreamEngine`` with GetRecords. The stream's first positions must have been saved before. Runs once."""

    def __init__(
        self,
        requests: StreamRequests,
        sink: ShardSink,
        positions: Positions,
        settings: EngineSettings,
        applied: Callable[[float], None] = lambda _: None,
    ) -> None:
        """``applied`` is called with the age in seconds of every change that has been applied, for the metrics."""
        clock = requests.retry.clock
        self._clock = clock
        self._settings = settings
        self._rounds = Rounds()
        self._shards = Shards(requests, positions)
        self._readers: dict[str, ShardReader] = {}
        self._reader_context = ReaderContext(
            requests=requests,
            shards=self._shards,
            sink=sink,
            settings=settings,
            clock=clock,
            retry=requests.retry,
            pages=asyncio.Semaphore(PAGES_IN_MEMORY),
            interval_seconds=settings.shard_read_seconds,
            begin=lambda: (self._rounds.ticket(), clock.now()),
            read_to_end=self._note_end,
            applied=applied,
        )

    async def run(self) -> None:
        """Read until cancelled; then save every position that was applied, within five seconds.

        Raises Fatal (Trimmed, StreamGone, Fenced, what the sink raises) when going on could skip a record.
        """
        async with task_group() as tasks:
            await self._shards.load()
            tasks.create_task(self._discover(tasks))

    def snapshot(self) -> EngineSnapshot:
        """The state of the stream now."""
        now, known = self._clock.now(), self._shards.known
        read = {
            shard_id: ShardMeasure(reader.lag_seconds(now), reader.read_lag_seconds(now), reader.as_of)
            for shard_id, reader in self._readers.items()
        }
        waiting = [shard_id for shard_id in unfinished(known) if shard_id not in read]
        return stream_snapshot(known, read, waiting, self._rounds.count, now)

    async def _discover(self, tasks: asyncio.TaskGroup) -> None:
        while True:
            ticket = self._rounds.ticket()
            if await self._shards.look():
                self._rounds.listed(ticket)
            self._open_shards(tasks)
            self._settle_round()
            await self._clock.sleep(self._settings.shard_discovery_seconds)

    def _open_shards(self, tasks: asyncio.TaskGroup) -> None:
        for shard_id in unfinished(self._shards.known):
            if shard_id not in self._readers and may_open(self._shards.known, shard_id):
                self._readers[shard_id] = ShardReader(shard_id, self._reader_context)
                tasks.create_task(self._read_shard(shard_id, tasks))

    async def _read_shard(self, shard_id: str, tasks: asyncio.TaskGroup) -> None:
        await self._readers[shard_id].run()
        del self._readers[shard_id]
        self._open_shards(tasks)
        await self._find_children(shard_id, tasks)

    async def _find_children(self, shard_id: str, tasks: asyncio.TaskGroup) -> None:
        for seconds in CHILD_WAITS_SECONDS:
            if self._shards.has_child(shard_id):
                return
            await self._shards.refresh_children(shard_id)
            self._open_shards(tasks)
            await self._clock.sleep(seconds)

    def _note_end(self, shard_id: str, ticket: int) -> None:
        self._rounds.read_to_end(shard_id, ticket)
        # settling goes over all known shards, and finished ones stay for two days: too much for every read of hundreds of shards
        if self._rounds.may_be_complete(len(self._readers)):
            self._settle_round()

    def _settle_round(self) -> None:
        waited_for = awaiting_children(self._shards.known, self._clock.now())
        self._rounds.settle(unfinished(self._shards.known), children_late=bool(waited_for))
