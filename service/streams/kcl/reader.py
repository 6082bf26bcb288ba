"""One worker's part in reading the streams of a lane: KCL's daemon, its children, and what this worker says of its shards."""

import asyncio
import tempfile
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from service.clock import Clock
from service.control.claims import Claims
from service.core.shards import RETENTION_SECONDS
from service.dynamodb.protocol import Fence, StreamStore
from service.errors import Retryable, TablesplitError
from service.log import get_logger
from service.streams.engine import EngineSnapshot, ShardSink
from service.streams.kcl.census import Census
from service.streams.kcl.children import Children, ReadStream
from service.streams.kcl.daemon import Daemon, require_daemon
from service.streams.kcl.held_shard import ShardParts
from service.streams.kcl.properties import DaemonOptions, properties, property_text
from service.streams.kcl.reports import SHARE_SECONDS, ShardReports, share_name
from service.streams.kcl.sink_slot import SinkSlot
from service.streams.requests import StreamRequests
from service.streams.retry import StreamRetry
from service.streams.shard_reader import EngineSettings
from service.streams.shards import Shards
from service.tasks import task_group

HUNG_SECONDS, HUNG_POLLS = 60.0, 10
"""A daemon that delivers nothing for so long, or so many polls, hangs: an idle shard is delivered an empty page at every poll."""


@dataclass(frozen=True, slots=True)
class NamedStream:
    """A stream to read, and the positions that are shared by its readers."""

    table: str
    arn: str
    claims: Claims


@dataclass(frozen=True, slots=True)
class ReaderParts:
    """What a reader works with. trust_seconds: how long a confirmed claim is trusted. standing: raises Fenced once the worker
    cannot know any more whether its rule is in force. retried: told the reason of every retry; applied: the age of every change.
    """

    store: StreamStore
    shares: ShardReports
    options: DaemonOptions
    settings: EngineSettings
    clock: Clock
    trust_seconds: float
    standing: Fence
    retried: Callable[[str], None]
    applied: Callable[[float], None] = lambda _: None


class KclReader:
    """Opened with ``open``; reads until its block ends. What the shards deliver waits until ``slot`` is filled."""

    def __init__(self, streams: Sequence[NamedStream], parts: ReaderParts) -> None:
        self.slot = SinkSlot(parts.clock)
        self._streams = [_read_stream(stream, self.slot, parts) for stream in streams]
        self._parts = parts
        self._children = Children({stream.arn: stream for stream in self._streams})

    @classmethod
    @asynccontextmanager
    async def open(cls, streams: Sequence[NamedStream], parts: ReaderParts) -> AsyncIterator["KclReader"]:
        """Read for the block; at its end KCL's leases are given back. Raises Misconfigured when the daemon cannot be started, and
        what stops a shard: Trimmed, StreamGone, what the sink raises."""
        java = require_daemon(parts.options)
        reader = cls(streams, parts)
        with tempfile.TemporaryDirectory(prefix="tablesplit-kcl-") as folder:
            async with task_group() as tasks, reader._children.served(Path(folder) / "socket", tasks):
                daemon = reader._daemon(java, Path(folder))
                running = [tasks.create_task(work) for work in (daemon.run(), reader._tell(), reader._watch(daemon))]
                try:
                    yield reader
                finally:
                    reader._children.close()
                    # the children are served until the daemon has ended: it waits for what they have in hand
                    for task in running:
                        if not task.cancelling():  # the daemon's may be stopping it already: let it
                            task.cancel()
                    await asyncio.gather(*running, return_exceptions=True)

    @property
    def taken_over(self) -> int:
        """How many shards this worker has claimed by now."""
        return self._children.claimed

    async def save_applied(self) -> None:
        """Save what is applied, of every shard, while nothing is being applied. Raises Fenced when the worker cannot know whether
        that was by the rule in force: then all must be read again from what is saved."""
        self._parts.standing()
        await self._children.save_applied()
        self._parts.standing()

    def snapshot(self) -> EngineSnapshot:
        """Where this worker's shards stand. Its rounds are none: no worker knows all shards (``census``)."""
        now = self._parts.clock.now()
        views = [held.view(now) for held in self._children.held]
        behind = max((now - view.as_of for view in views if view.as_of is not None), default=0.0)
        return EngineSnapshot(
            shards_reading=len(views),
            shards_finished=0,
            rounds=0,
            lag_seconds=max((view.lag_seconds for view in views), default=0.0),
            retention_headroom_seconds=RETENTION_SECONDS - behind,
            read_lag_seconds=max((view.read_lag_seconds for view in views), default=0.0),
        )

    def _daemon(self, java: str, folder: Path) -> Daemon:
        files = []
        for number, stream in enumerate(self._streams):
            file = folder / f"{number}.properties"
            table = stream.parts.requests.table
            file.write_text(property_text(properties(self._parts.options, table, stream.arn, folder / "socket")))
            files.append(file)
        parts = self._parts
        return Daemon(
            java,
            parts.options,
            files,
            parts.clock,
            parts.retried,
            lost=self._require_unlost,
            served=lambda: self.taken_over,
        )

    async def _require_unlost(self) -> None:
        """Raises Trimmed or StreamGone when a saved position cannot be read on from."""
        for stream in self._streams:
            await stream.shards.load()
            await stream.shards.look()
            for shard_id, position in stream.shards.known.items():
                if position.state == "reading" and position.sequence is not None:
                    await stream.parts.requests.open(shard_id, position.sequence)

    async def _watch(self, daemon: Daemon) -> NoReturn:
        """Kill a daemon that hangs: it has children, and none of them is delivered anything. It is started anew then."""
        clock = self._parts.clock
        hung_seconds = max(HUNG_SECONDS, HUNG_POLLS * self._parts.settings.poll_interval_seconds)
        while True:
            await clock.sleep(hung_seconds / 4)
            last = [held.delivered_at for held in self._children.held]
            if last and all(moment is not None and moment < clock.now() - hung_seconds for moment in last):
                get_logger().warning("KCL's daemon delivers nothing and is started anew", shards=len(last))
                daemon.kill()

    async def _tell(self) -> NoReturn:
        """Say, again and again, what this worker reads."""
        shares, clock, worker = self._parts.shares, self._parts.clock, self._parts.options.worker
        number = 0
        try:
            while True:
                number += 1
                now = clock.now()
                views = {share_name(held.table, held.shard_id): held.view(now) for held in self._children.held}
                with suppress(Retryable):  # the census counts this worker as silent when it lasts
                    await shares.say(worker, number, views)
                await clock.sleep(SHARE_SECONDS)
        finally:
            with suppress(TablesplitError):
                await shares.leave(worker)


def _read_stream(stream: NamedStream, slot: SinkSlot, parts: ReaderParts) -> ReadStream:
    patience = StreamRetry(parts.clock, parts.retried)
    requests = StreamRequests(parts.store, stream.arn, stream.table, patience)
    shared = ShardParts(
        requests, slot, parts.settings, parts.clock, patience, parts.applied, parts.trust_seconds, parts.standing
    )
    return ReadStream(stream.arn, stream.claims, Shards(requests, stream.claims, parts.clock, patience), shared)


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
