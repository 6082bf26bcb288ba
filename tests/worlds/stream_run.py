"""Runs the embedded engine on a scripted stream, and checks effect before checkpoint on every save."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from service.core.item.change import Change
from service.core.shards import Position
from service.dynamodb.protocol import StreamStore
from service.streams.embedded import EmbeddedEngine
from service.streams.requests import StreamRequests
from service.streams.retry import StreamRetry
from tests.fakes.clocks import VirtualClock, settle
from tests.fakes.scripted_stream import ScriptedStream

START = {"p": Position(None)}


@dataclass(frozen=True)
class Pace:
    """The engine's settings, at production's defaults."""

    shard_read_seconds: float = 0.25
    poll_interval_seconds: float = 1.0
    checkpoint_every_seconds: float = 1.0
    shard_discovery_seconds: float = 5.0


class RecordingSink:
    """Keeps what was applied. While ``gate`` is cleared, ``apply`` waits; ``faults`` are raised first."""

    def __init__(self) -> None:
        self.changes: list[Change] = []
        self.begun = 0
        self.reached = asyncio.Event()
        self.gate = asyncio.Event()
        self.gate.set()
        self.faults: list[Exception] = []

    async def apply(self, shard_id: str, changes: Sequence[Change]) -> None:
        self.begun += 1
        self.reached.set()
        await self.gate.wait()
        if self.faults:
            raise self.faults.pop(0)
        self.changes += changes

    @property
    def values(self) -> list[str]:
        return [change.new["value"]["S"] for change in self.changes if change.new]

    @property
    def sequences(self) -> set[str]:
        return {change.sequence for change in self.changes}


class MemoryPositions:
    """Positions in a dict. It refuses to save a position that is not applied, or that lies before the saved one."""

    def __init__(self, sink: RecordingSink, saved: Mapping[str, Position]) -> None:
        self.saved = dict(saved)
        self.saves: list[tuple[str, Position]] = []
        self.faults: list[Exception] = []
        self._sink = sink
        self._start = {position.sequence for position in saved.values()}

    async def load(self) -> Mapping[str, Position]:
        return dict(self.saved)

    async def save(self, shard_id: str, position: Position) -> None:
        await asyncio.sleep(0)
        if self.faults:
            raise self.faults.pop(0)
        before = self.saved.get(shard_id)
        assert position.sequence in self._sink.sequences | self._start | {None}, "checkpoint before effect"
        assert before is None or int(before.sequence or 0) <= int(position.sequence or 0), "a position went back"
        self.saved[shard_id] = position
        self.saves.append((shard_id, position))

    async def forget(self, shard_id: str) -> None:
        del self.saved[shard_id]


def stream_with(*values: str) -> ScriptedStream:
    stream = ScriptedStream()
    stream.shard("p")
    stream.write("p", *values)
    return stream


@dataclass
class Run:
    """One run of an engine, and all that it works with. ``ages``: of the changes, as reported to the metrics when applied."""

    engine: EmbeddedEngine
    sink: RecordingSink
    positions: MemoryPositions
    clock: VirtualClock
    task: asyncio.Task[None]
    retries: list[str] = field(default_factory=list)
    ages: list[float] = field(default_factory=list)

    async def rounds(self, more: int = 2) -> None:
        """Wait until the whole stream has been read to its end ``more`` times."""
        target = self.engine.snapshot().rounds + more
        await self.clock.until(lambda: self.task.done() or self.engine.snapshot().rounds >= target)
        if self.task.done():
            self.task.result()

    async def fails(self) -> BaseException:
        """Wait for the engine to stop, and return the error that it raised."""
        await self.clock.until(self.task.done)
        error = self.task.exception()
        assert error is not None
        return error

    async def stop(self) -> None:
        self.task.cancel()
        await settle()
        assert self.task.done(), "the engine did not stop at once"


@asynccontextmanager
async def running(
    stream: StreamStore,
    saved: Mapping[str, Position] | None = None,
    *,
    pace: Pace = Pace(),
    clock: VirtualClock | None = None,
    sink: RecordingSink | None = None,
) -> AsyncIterator[Run]:
    """The engine, running on ``stream`` from the positions ``saved``; stopped at the end."""
    clock, sink = clock or VirtualClock(), sink or RecordingSink()
    positions = MemoryPositions(sink, saved or {})
    retries: list[str] = []
    ages: list[float] = []
    arn = "arn:aws:dynamodb:us-east-1:1:table/old/stream/1"
    requests = StreamRequests(stream, arn, "old", StreamRetry(clock, retries.append))
    engine = EmbeddedEngine(requests, sink, positions, pace, applied=ages.append)
    task = asyncio.create_task(engine.run())
    run = Run(engine, sink, positions, clock, task, retries, ages)
    try:
        yield run
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
