"""A small migration in memory: an old table, its v2 tables, and a sync that lags behind as far as a test wants."""

import asyncio
from collections.abc import Awaitable, Coroutine
from dataclasses import dataclass, field
from typing import Any, ClassVar

from service.config import Settings
from service.control.stores import Stores
from service.control.table import ControlTable
from service.core.item.change import Change
from service.core.item.wire import Item
from service.core.item.write import Delete, Put
from service.core.mapping.mapping import Mapping
from service.core.rules.guarded import change_writes, copy_write
from service.core.rules.repair import RepairPhase
from service.telemetry.metrics import Metrics
from service.validation.options import ValidationOptions
from service.validation.report import Report
from service.validation.validator import ValidationContext, validate
from tests.builders.small_crm import GENERATION, MAPPING
from tests.fakes.clocks import VirtualClock
from tests.fakes.memory import MemoryDynamoDB


@dataclass
class World:
    """The tables, the writers, and the sync. ``applied``: how many of the old table's changes the sync has applied."""

    db: MemoryDynamoDB = field(default_factory=MemoryDynamoDB)
    clock: VirtualClock = field(default_factory=VirtualClock)
    stop: asyncio.Event = field(default_factory=asyncio.Event)
    changes: list[Change] = field(default_factory=list)
    applied: int = 0
    quarantined: set[str] = field(default_factory=set)
    mapping: ClassVar[Mapping] = MAPPING
    phase: RepairPhase = "dual"
    """For a repair under the ledger rule."""

    def __post_init__(self) -> None:
        self.db.create_table("old", ("pk", "sk"))
        self.db.create_table("control", ("pk", "sk"))
        for name, shape in self.mapping.tables.items():
            indexes = {index: schema.names for index, schema in shape.indexes.items()}
            self.db.create_table(name, shape.key_names, indexes=indexes)
        self.control = ControlTable(self.db, "control")
        self.settings = Settings(control_table="control", segments=2, page_items=3)

    def put(self, item: Item) -> None:
        """The application writes an old item."""
        key = {"pk": item["pk"], "sk": item["sk"]}
        self._change(key, item)
        self.db.apply(Put("old", item))

    def delete(self, key: Item) -> None:
        """The application deletes an old item."""
        self._change(key, None)
        self.db.apply(Delete("old", key))

    def sync(self, most: int | None = None) -> None:
        """The sync applies its next ``most`` changes (None: all)."""
        end = len(self.changes) if most is None else min(len(self.changes), self.applied + most)
        for change in self.changes[self.applied : end]:
            for write in change_writes(self.mapping, [change], GENERATION):
                self.db.apply(write)
        self.applied = end

    async def settled(self) -> None:
        """Apply every change that has been made so far."""
        self.sync()

    def copy(self, *items: Item) -> None:
        """Write old items, and their copies as the backfill makes them."""
        for item in items:
            self.db.apply(Put("old", item))
            self.db.apply(copy_write(self.mapping, item, GENERATION))

    def edit(self, table: str, key: Item, **attributes: Any) -> None:
        """Change attributes of a v2 item directly, as no part of tablesplit does; None removes one."""
        item = {**(self.db.item(table, key) or key), **attributes}
        self.db.apply(Put(table, {name: value for name, value in item.items() if value is not None}))

    async def validate(self, *, settled: bool = False, **options: Any) -> Report:
        """Run a validation, and let as much time pass as it needs."""
        return await self.run(self.validation(settled=settled, **options))

    def validation(self, *, settled: bool = False, **options: Any) -> Coroutine[Any, Any, Report]:
        stores = Stores(self.db, self.control, self.mapping, self.clock)
        until = self.settled if settled else None
        context = ValidationContext(stores, self.settings, Metrics(), settled=until, phase=self.phase)
        return validate(context, ValidationOptions(**options), self.stop)

    async def run(self, work: Awaitable[Report]) -> Report:
        task = asyncio.ensure_future(work)
        await self.clock.until(task.done, within=600)
        return await task

    def _change(self, key: Item, new: Item | None) -> None:
        sequence = f"{len(self.changes) + 1}{'0' * 21}"
        old = self.db.item("old", key)
        self.changes.append(Change("old", "shard", sequence, key, old, new))
