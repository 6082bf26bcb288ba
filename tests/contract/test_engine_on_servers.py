"""The engines on real servers: every change of a key arrives, in order, through a restart too."""

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from uuid import uuid4

import pytest

from service.clock import SystemClock
from service.core.item.change import Change
from service.core.item.write import Delete, Put
from service.core.shards import Position
from service.dynamodb.client import DynamoDBClient
from service.dynamodb.control_plane import ControlPlane
from service.dynamodb.table_description import NewTable
from service.errors import StreamGone
from service.streams.embedded import EmbeddedEngine
from service.streams.engine import StreamEngine
from service.streams.requests import StreamRequests
from service.streams.retry import StreamRetry
from service.streams.shards import initial_positions
from tests.builders.planes import open_plane, plane_settings
from tests.fakes.kcl import OneWorker, Place, require_kcl
from tests.worlds.stream_run import MemoryPositions, Pace, RecordingSink

FAST = Pace(poll_interval_seconds=0.25, checkpoint_every_seconds=0.25, shard_discovery_seconds=0.25)
DEADLINE_SECONDS = 300


@dataclass(frozen=True)
class Old:
    """An open client, and a fresh table with a stream, for one engine."""

    plane: DynamoDBClient
    control: ControlPlane
    endpoint: str
    table: str
    arn: str
    engine: str

    async def put(self, key: str, number: int) -> None:
        item = {"pk": {"S": key}, "sk": {"S": "METADATA"}, "number": {"N": str(number)}}
        await self.plane.write(Put(self.table, item))

    async def delete(self, key: str) -> None:
        await self.plane.write(Delete(self.table, {"pk": {"S": key}, "sk": {"S": "METADATA"}}))


EMBEDDED_LOCAL = pytest.param(("embedded", "dynamodb_local"), marks=pytest.mark.local, id="embedded-local")
EMBEDDED_MOTO = pytest.param(("embedded", "moto_server"), marks=pytest.mark.moto, id="embedded-moto")
KCL_LOCAL = pytest.param(("kcl", "dynamodb_local"), marks=[pytest.mark.local, pytest.mark.slow], id="kcl-local")


@pytest.fixture(params=[EMBEDDED_LOCAL, EMBEDDED_MOTO, KCL_LOCAL])
async def old(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Old]:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    engine, server = request.param
    if engine == "kcl":
        require_kcl()
    url = request.getfixturevalue(server)
    control = ControlPlane(plane_settings(url))
    table = f"engine-{uuid4().hex[:12]}"
    control.create_table(NewTable(table, ("pk", "sk"), {}))
    described = control.describe_table(table)
    assert described is not None
    assert described.stream_arn is not None
    async with open_plane(url) as plane:
        yield Old(plane, control, url, table, described.stream_arn, engine)


@dataclass
class Reading:
    """A running engine and, once it has stopped, the positions that it has saved."""

    engine: StreamEngine
    task: asyncio.Task[None]
    saved: dict[str, Position] = field(default_factory=dict)


@asynccontextmanager
async def reading(old: Old, sink: RecordingSink, start: Mapping[str, Position]) -> AsyncIterator[Reading]:
    """The engine, running from ``start``."""
    worker = _embedded if old.engine == "embedded" else _kcl
    async with worker(old, sink, start) as run:
        try:
            yield run
        finally:
            run.task.cancel()
            await asyncio.gather(run.task, return_exceptions=True)


@asynccontextmanager
async def _embedded(old: Old, sink: RecordingSink, start: Mapping[str, Position]) -> AsyncIterator[Reading]:
    positions = MemoryPositions(sink, start)
    requests = StreamRequests(old.plane, old.arn, old.table, StreamRetry(SystemClock(), lambda reason: None))
    engine = EmbeddedEngine(requests, sink, positions, FAST)
    run = Reading(engine, asyncio.create_task(engine.run()))
    yield run
    run.saved = positions.saved


@asynccontextmanager
async def _kcl(old: Old, sink: RecordingSink, start: Mapping[str, Position]) -> AsyncIterator[Reading]:
    worker = OneWorker(Place(old.plane, old.control, old.endpoint, old.table, old.arn), sink, FAST)
    await worker.save(start)
    run = Reading(worker, asyncio.create_task(worker.run()))
    yield run
    run.saved = dict(await worker.checkpoints.load())


async def caught_up(run: Reading) -> None:
    """Wait for two more rounds: everything written before is applied."""
    target: int | None = None
    async with asyncio.timeout(DEADLINE_SECONDS):
        while target is None or run.engine.snapshot().rounds < target:
            assert not run.task.done(), run.task.exception()
            await SystemClock().sleep(0.05)
            target = target or run.engine.snapshot().rounds + 2


def history(changes: list[Change]) -> dict[str, list[str | None]]:
    """The numbers that each key had, in the order of arrival; None: deleted.

    A put that is sent again after a lost answer changes nothing: for it DynamoDB records nothing, and moto a change.
    """
    by_key = defaultdict(list)
    for change in changes:
        if change.old == change.new:
            continue
        by_key[change.key["pk"]["S"]].append(change.new["number"]["N"] if change.new else None)
    return by_key


async def test_every_change_arrives_in_order_per_key_while_writers_continue(old: Old) -> None:
    start = await initial_positions(old.plane, old.arn, SystemClock())
    sink = RecordingSink()
    expected = [str(number) for number in range(40)]

    async def write_all(key: str) -> None:
        for number in range(40):
            await old.put(key, number)
        await old.delete(key)

    async with reading(old, sink, start) as run:
        await asyncio.gather(*(write_all(f"key{number}") for number in range(5)))
        await caught_up(run)
        assert run.engine.snapshot().lag_seconds == 0
    assert history(sink.changes) == {f"key{number}": [*expected, None] for number in range(5)}
    moved = [c for c in sink.changes if c.new and c.new["number"]["N"] == "7"]
    assert all(change.old is not None and change.old["number"]["N"] == "6" for change in moved)


async def test_a_restarted_engine_continues_after_the_saved_position(old: Old) -> None:
    start = await initial_positions(old.plane, old.arn, SystemClock())
    sink = RecordingSink()
    async with reading(old, sink, start) as first:
        await old.put("a", 1)
        await caught_up(first)
    await old.put("a", 2)
    async with reading(old, sink, first.saved) as second:
        await old.put("a", 3)
        await caught_up(second)
    assert history(sink.changes) == {"a": ["1", "2", "3"]}


@pytest.mark.parametrize("old", [EMBEDDED_LOCAL, KCL_LOCAL], indirect=True)
async def test_an_engine_whose_table_is_deleted_stops_with_the_remedy(old: Old) -> None:
    # Not on moto: it answers 500 for a stream that is gone.
    start = await initial_positions(old.plane, old.arn, SystemClock())
    async with reading(old, RecordingSink(), start) as run:
        old.control.delete_table(old.table)
        with pytest.raises(StreamGone, match="DISABLED"):
            await asyncio.wait_for(run.task, DEADLINE_SECONDS)
