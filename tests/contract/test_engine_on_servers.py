"""The embedded engine on real servers: every change of a key arrives, in order, through a restart too."""

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from uuid import uuid4

import pytest

from service.clock import SystemClock
from service.core.change import Change
from service.core.lineage import Position
from service.core.write import Delete, Put
from service.dynamodb.client import DynamoDBClient
from service.dynamodb.control import ControlPlane
from service.dynamodb.descriptions import NewTable
from service.errors import StreamGone
from service.streams.embedded import EmbeddedEngine
from service.streams.start import initial_positions
from tests.planes import open_plane, plane_settings
from tests.stream_run import MemoryPositions, Pace, RecordingSink

FAST = Pace(poll_interval_seconds=0.25, checkpoint_every_seconds=0.25, shard_discovery_seconds=0.25)
DEADLINE_SECONDS = 60


@dataclass(frozen=True)
class Old:
    """An open client, and a fresh table with a stream."""

    plane: DynamoDBClient
    control: ControlPlane
    table: str
    arn: str

    async def put(self, key: str, number: int) -> None:
        item = {"pk": {"S": key}, "sk": {"S": "METADATA"}, "number": {"N": str(number)}}
        await self.plane.write(Put(self.table, item))

    async def delete(self, key: str) -> None:
        await self.plane.write(Delete(self.table, {"pk": {"S": key}, "sk": {"S": "METADATA"}}))


@pytest.fixture(
    params=[
        pytest.param("dynamodb_local", marks=pytest.mark.local),
        pytest.param("moto_server", marks=pytest.mark.moto),
    ]
)
async def old(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Old]:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    url = request.getfixturevalue(request.param)
    control = ControlPlane(plane_settings(url))
    table = f"engine-{uuid4().hex[:12]}"
    control.create_table(NewTable(table, ("pk", "sk"), {}))
    described = control.describe_table(table)
    assert described is not None
    assert described.stream_arn is not None
    async with open_plane(url) as plane:
        yield Old(plane, control, table, described.stream_arn)


def engine_on(old: Old, sink: RecordingSink, positions: MemoryPositions) -> EmbeddedEngine:
    """The engine, on the real clock."""
    return EmbeddedEngine(
        old.plane,
        arn=old.arn,
        table=old.table,
        sink=sink,
        positions=positions,
        settings=FAST,
        clock=SystemClock(),
        retried=lambda reason: None,
    )


@asynccontextmanager
async def reading(
    old: Old, sink: RecordingSink, saved: dict[str, Position]
) -> AsyncIterator[tuple[EmbeddedEngine, MemoryPositions]]:
    """The engine, running."""
    positions = MemoryPositions(sink, saved)
    engine = engine_on(old, sink, positions)
    task = asyncio.create_task(engine.run())
    yield engine, positions
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def caught_up(engine: EmbeddedEngine) -> None:
    """Wait for two more rounds: everything written before is applied."""
    target = engine.snapshot().rounds + 2
    async with asyncio.timeout(DEADLINE_SECONDS):
        while engine.snapshot().rounds < target:
            await SystemClock().sleep(0.05)


def history(changes: list[Change]) -> dict[str, list[str | None]]:
    """The numbers that each key had, in the order of arrival; None: deleted.

    A put that is sent again after a lost answer changes nothing: DynamoDB records nothing then, moto a change.
    """
    by_key = defaultdict(list)
    for change in changes:
        if change.old == change.new:
            continue
        by_key[change.key["pk"]["S"]].append(change.new["number"]["N"] if change.new else None)
    return by_key


async def test_every_change_arrives_in_order_per_key_while_writers_go_on(old: Old) -> None:
    start = await initial_positions(old.plane, old.arn, now=SystemClock().now())
    sink = RecordingSink()
    expected = [str(number) for number in range(40)]

    async def write_all(key: str) -> None:
        for number in range(40):
            await old.put(key, number)
        await old.delete(key)

    async with reading(old, sink, start) as (engine, _):
        await asyncio.gather(*(write_all(f"key{number}") for number in range(5)))
        await caught_up(engine)
        assert engine.snapshot().lag_seconds == 0
    assert history(sink.changes) == {f"key{number}": [*expected, None] for number in range(5)}
    moved = [c for c in sink.changes if c.new and c.new["number"]["N"] == "7"]
    assert all(change.old is not None and change.old["number"]["N"] == "6" for change in moved)


async def test_a_restarted_engine_goes_on_after_the_saved_position(old: Old) -> None:
    start = await initial_positions(old.plane, old.arn, now=SystemClock().now())
    sink = RecordingSink()
    async with reading(old, sink, start) as (engine, positions):
        await old.put("a", 1)
        await caught_up(engine)
    await old.put("a", 2)
    async with reading(old, sink, positions.saved) as (engine, _):
        await old.put("a", 3)
        await caught_up(engine)
    assert history(sink.changes) == {"a": ["1", "2", "3"]}


@pytest.mark.parametrize("old", [pytest.param("dynamodb_local", marks=pytest.mark.local)], indirect=True)
async def test_an_engine_whose_table_is_deleted_stops_with_the_remedy(old: Old) -> None:
    # Not on moto: it answers 500 for a stream that is gone.
    sink = RecordingSink()
    start = await initial_positions(old.plane, old.arn, now=SystemClock().now())
    engine = engine_on(old, sink, MemoryPositions(sink, start))
    old.control.delete_table(old.table)
    with pytest.raises(StreamGone, match="DISABLED"):
        await asyncio.wait_for(engine.run(), DEADLINE_SECONDS)
