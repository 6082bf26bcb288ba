"""The kcl engine of one worker: it reads the streams of a lane by KCL's daemon and its children, and reports on its shards."""

import asyncio
import tempfile
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from service.clock import Clock
from service.control.claims import SharedCheckpoints
from service.core.shards import RETENTION_SECONDS
from service.dynamodb.protocol import Fence, StreamStore
from service.errors import Retryable, TablesplitError
from service.log import get_logger
from service.streams.engine import EngineSnapshot, ShardSink
from service.streams.kcl.census import Census
from service.streams.kcl.children import Children, ReadStream
from service.streams.kcl.daemon import Daemon, require_daemon
from service.streams.kcl.held_shard import HeldShardContext
from service.streams.kcl.properties import DaemonOptions, properties, property_text
from service.streams.kcl.reports import REPORT_SECONDS, ShardReports, shard_name
from service.streams.kcl.sink_slot import SinkSlot
from service.streams.requests import StreamRequests
from service.streams.retry import StreamRetry
from service.streams.shard_reader import EngineSettings
from service.streams.shards import Shards
from service.tasks import task_group

HUNG_SECONDS, HUNG_POLLS = 60.0, 10
"""A daemon that delivers nothing for so long, or for so many polls, hangs: for an idle shard it delivers an empty page at every
poll."""


@dataclass(frozen=True, slots=True)
class NamedStream:
    """A stream to read, with the positions that its readers share."""

    table: str
    arn: str
    claims: SharedCheckpoints


@dataclass(frozen=True, slots=True)
class KclReaderContext:
    """What a reader works with."""

    store: StreamStore
    reports: ShardReports
    options: DaemonOptions
    settings: EngineSettings
    clock: Clock
    trust_seconds: float
    """How long a confirmed claim is trusted."""
    rule_fence: Fence
    """Raises Fenced once the worker cannot know any more whether the rule that it applies is still in force."""
    retried: Callable[[str], None]
    """Called with the reason of every retry."""
    applied: Callable[[float], None] = lambda _: None
    """Called with the age in seconds of every change that has been applied."""


class KclReader:
    """Opened with ``open``; reads until its block ends. Pages that are delivered wait until a sink is in ``slot``."""

    def __init__(self, streams: Sequence[NamedStream], context: KclReaderContext) -> None:
        self.slot = SinkSlot(context.clock)
        self._streams = [_read_stream(stream, self.slot, context) for stream in streams]
        self._context = context
        self._children = Children({stream.arn: stream for stream in self._streams})

    @classmethod
    @asynccontextmanager
    async def open(cls, streams: Sequence[NamedStream], context: KclReaderContext) -> AsyncIterator["KclReader"]:
        """Read for the block; at its end give KCL's leases back.

        Raises Misconfigured when the daemon cannot be started, and what stops a shard: Trimmed, StreamGone, what the sink
        raises.
        """
        java = require_daemon(context.options)
        reader = cls(streams, context)
        with tempfile.TemporaryDirectory(prefix="tablesplit-kcl-") as folder:
            async with task_group() as tasks, reader._children.served(Path(folder) / "socket", tasks):
                daemon = reader._daemon(java, Path(folder))
                background = (daemon.run(), reader._report_shards(), reader._kill_when_hung(daemon))
                running = [tasks.create_task(work) for work in background]
                try:
                    yield reader
                finally:
                    reader._children.close()
                    # the children are served until the daemon has ended: it waits for the batches that they deliver
                    for task in running:
                        if not task.cancelling():  # the daemon's task may be stopping it already
                            task.cancel()
                    await asyncio.gather(*running, return_exceptions=True)

    @property
    def taken_over(self) -> int:
        """How many shards this worker has claimed so far."""
        return self._children.claimed

    async def save_applied(self) -> None:
        """Save what is applied, of every shard, while nothing is being applied.

        Raises Fenced when the worker cannot know whether the changes were applied by the rule in force: then everything must be
        read again from what is saved.
        """
        self._context.rule_fence()
        await self._children.save_applied()
        self._context.rule_fence()

    def snapshot(self) -> EngineSnapshot:
        """The state of this worker's shards. It has no rounds: no worker knows all shards (see ``census``)."""
        now = self._context.clock.now()
        views = [held.view(now) for held in self._children.held]
        behind = max((now - view.as_of for view in views if view.as_of is not None), default=0.0)
        return EngineSnapshot(
            shards_unfinished=len(views),
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
            table = stream.context.requests.table
            file.write_text(property_text(properties(self._context.options, table, stream.arn, folder / "socket")))
            files.append(file)
        context = self._context
        return Daemon(
            java,
            context.options,
            files,
            context.clock,
            context.retried,
            lost=self._require_readable,
            served=lambda: self.taken_over,
        )

    async def _require_readable(self) -> None:
        """Raises Trimmed or StreamGone when a saved position can no longer be read from."""
        for stream in self._streams:
            await stream.shards.load()
            await stream.shards.refresh()
            for shard_id, position in stream.shards.known.items():
                if position.state == "reading" and position.sequence is not None:
                    await stream.context.requests.open(shard_id, position.sequence)

    async def _kill_when_hung(self, daemon: Daemon) -> NoReturn:
        """Kill a daemon that hangs: it has children, and delivers nothing to any of them. It is restarted then."""
        clock = self._context.clock
        hung_seconds = max(HUNG_SECONDS, HUNG_POLLS * self._context.settings.poll_interval_seconds)
        while True:
            await clock.sleep(hung_seconds / 4)
            delivered_at = [held.delivered_at for held in self._children.held]
            if delivered_at and all(
                moment is not None and moment < clock.now() - hung_seconds for moment in delivered_at
            ):
                get_logger().warning("KCL's daemon delivers nothing and is started anew", shards=len(delivered_at))
                daemon.kill()

    async def _report_shards(self) -> NoReturn:
        """Report, again and again, what this worker reads."""
        reports, clock, worker = self._context.reports, self._context.clock, self._context.options.worker
        number = 0
        try:
            while True:
                number += 1
                now = clock.now()
                views = {shard_name(held.table, held.shard_id): held.view(now) for held in self._children.held}
                with suppress(Retryable):  # if this lasts, the census counts the worker as silent
                    await reports.save(worker, number, views)
                await clock.sleep(REPORT_SECONDS)
        finally:
            with suppress(TablesplitError):
                await reports.leave(worker)


def _read_stream(stream: NamedStream, slot: SinkSlot, context: KclReaderContext) -> ReadStream:
    requests = StreamRequests(context.store, stream.arn, stream.table, StreamRetry(context.clock, context.retried))
    shared = HeldShardContext(
        requests, slot, context.settings, context.applied, context.trust_seconds, context.rule_fence
    )
    return ReadStream(stream.arn, stream.claims, Shards(requests, stream.claims), shared)


class KclEngine:
    """Implements ``StreamEngine`` for one sink. The reader lives longer: another engine with another sink may follow."""

    def __init__(self, reader: KclReader, sink: ShardSink, census: Census | None) -> None:
        """``census``: in the one worker that counts for all. The others know only their own shards, and no rounds."""
        self._reader = reader
        self._sink = sink
        self._census = census

    async def run(self) -> NoReturn:
        """Apply until cancelled; then save every position that was applied.

        What stops a shard is raised where the reader was opened. Raises Fatal when the census finds that going on could skip a
        record.
        """
        async with self._reader.slot.filled(self._sink, self._reader.save_applied):
            if self._census is not None:
                await self._census.run()
            await asyncio.Event().wait()
        raise AssertionError("an engine does not end by itself")

    def snapshot(self) -> EngineSnapshot:
        """The state of the stream now."""
        return self._reader.snapshot() if self._census is None else self._census.snapshot()
