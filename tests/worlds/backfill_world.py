"""A small migration in memory. A test can stop, kill, slow down and restart its backfill."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from backfill.options import BackfillOptions
from backfill.records import BackfillRecords
from backfill.report import BackfillReport
from backfill.segment_copier import BackfillContext
from backfill.segments import Segment
from backfill.worker import run_backfill
from service.config import Settings
from service.control.quarantine import Quarantine, QuarantineHead
from service.control.state import MigrationState, change_state, in_forward, load_state, with_stream
from service.control.stores import Stores
from service.control.table import ControlTable
from service.core.item.wire import Item
from service.core.item.write import Put
from service.core.rules.guarded import copy_write
from service.dynamodb.protocol import Fence, InsertThrottled
from service.telemetry.metrics import Metrics
from tests.builders.small_crm import GENERATION, MAPPING, deal, lead
from tests.fakes.clocks import VirtualClock
from tests.fakes.memory import MemoryDynamoDB
from tests.fakes.recording_display import RecordingDisplay

BAD = lead("bad", entity_type={"S": "MEETING"})
"""An item of an entity that the mapping does not know."""


class Throttling(MemoryDynamoDB):
    """A table that takes at most ``allowed`` units per virtual second at each partition key, one for an item. A request arrives
    after ``latency`` seconds."""

    def __init__(self, clock: VirtualClock, allowed: int, latency: float = 0.0) -> None:
        super().__init__()
        self.clock = clock
        self.allowed = allowed
        self.latency = latency
        self.taken: dict[tuple[str, int], int] = {}
        self.refusals = 0

    async def insert_many(
        self,
        table: str,
        items: Sequence[Item],
        key_names: tuple[str, ...],
        *,
        patient: bool = True,
        fence: Fence | None = None,
    ) -> list[bool]:
        assert not patient, "the backfill adapts its rate itself"
        if self.latency:
            await self.clock.sleep(self.latency)
        results: list[bool | None] = []
        for item in items:
            bucket = (str(item[key_names[0]]), int(self.clock.monotonic()))
            self.taken[bucket] = self.taken.get(bucket, 0) + 1
            if self.taken[bucket] > self.allowed:
                self.refusals += 1
                results.append(None)
            else:
                results += await super().insert_many(table, [item], key_names, fence=fence)
        if None in results:
            raise InsertThrottled("throttled", results)
        return [result is True for result in results]


@dataclass
class World:
    """The tables of a migration, and the context of a backfill. ``estimate``: DescribeTable's item count."""

    clock: VirtualClock = field(default_factory=VirtualClock)
    db: MemoryDynamoDB = field(default_factory=MemoryDynamoDB)
    settings: Settings = field(default_factory=lambda: Settings(segments=3, page_items=4))
    display: RecordingDisplay = field(default_factory=RecordingDisplay)
    stop: asyncio.Event = field(default_factory=asyncio.Event)
    metrics: Metrics = field(default_factory=Metrics)
    estimate: int | None = None

    def __post_init__(self) -> None:
        self.db.create_table("old", ("pk", "sk"))
        self.db.create_table("control", ("pk", "sk"))
        for name, shape in MAPPING.tables.items():
            indexes = {index: schema.names for index, schema in shape.indexes.items()}
            self.db.create_table(name, shape.key_names, indexes=indexes)
        self.control = ControlTable(self.db, "control")
        self.records = BackfillRecords(self.control)

    def put(self, *items: Item) -> None:
        """The application writes old items."""
        for item in items:
            self.db.apply(Put("old", item))

    def fill(self, count: int) -> None:
        """Write ``count`` old items, of two entities in turn."""
        self.put(*(lead(f"{n:04d}") if n % 2 else deal(f"{n:04d}") for n in range(count)))

    async def start(self) -> MigrationState:
        """Start the migration in the control table, as `create-tables` does."""
        return await change_state(
            self.control, MAPPING, 0.0, lambda state: in_forward(with_stream(state, "arn:old"), 0.0)
        )

    def begin(self, **options: Any) -> asyncio.Task[BackfillReport]:
        """Start a backfill."""
        return asyncio.ensure_future(run_backfill(self.context(**options), self.estimate))

    def context(self, **options: Any) -> BackfillContext:
        """The context of a worker."""
        return BackfillContext(
            Stores(self.db, self.control, MAPPING, self.clock),
            self.settings,
            self.metrics,
            BackfillOptions(**{"owner": "worker", **options}),
            self.display,
            self.stop,
        )

    async def run(self, within: float = 3600.0, **options: Any) -> BackfillReport:
        """Run a backfill to its end, and let as much time pass as it needs."""
        await self.start()
        task = self.begin(**options)
        await self.clock.until(task.done, within=within)
        return await task

    async def kill(self, task: asyncio.Task[BackfillReport]) -> None:
        """End a backfill as kill -9 does: from now on none of its requests arrives at the tables."""
        alive, self.db.before = self.db.before, _dead
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        self.db.before = alive

    def expected(self) -> dict[str, list[Item]]:
        """The v2 items that a copy of every old item makes, by table."""
        tables: dict[str, list[Item]] = {name: [] for name in MAPPING.tables}
        for item in self.db.items("old"):
            if item["entity_type"]["S"] in MAPPING.entities:
                put = copy_write(MAPPING, item, GENERATION)
                tables[put.table].append(put.item)
        return {name: in_order(items) for name, items in tables.items()}

    def actual(self) -> dict[str, list[Item]]:
        """The v2 items, by table."""
        return {name: in_order(self.db.items(name)) for name in MAPPING.tables}

    async def state(self) -> MigrationState:
        state = await load_state(self.control, MAPPING)
        assert state is not None
        return state

    async def segments(self) -> dict[int, Segment]:
        """The saved progress of the latest run's segments."""
        run = await self.records.run()
        return {} if run is None else await self.records.segments(run)

    async def quarantined(self) -> list[QuarantineHead]:
        return list((await Quarantine(self.control, self.clock).heads()).values())


def in_order(items: list[Item]) -> list[Item]:
    return sorted(items, key=str)


async def _dead(operation: str, subject: object) -> None:
    raise ConnectionError("killed")
