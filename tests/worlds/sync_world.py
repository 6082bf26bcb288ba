"""The applying half of a sync in memory: sink, quarantine, retries, purger; changes are made by hand."""

from collections import Counter
from dataclasses import dataclass, field, replace
from types import SimpleNamespace
from typing import Any, cast

from service.clock import Clock
from service.control.leases import Lease
from service.control.quarantine import Quarantine, quarantine_id
from service.control.stores import Stores
from service.control.table import ControlTable
from service.core.item.change import Change
from service.core.item.wire import Item
from service.core.item.write import Delete, Put
from service.core.mapping.mapping import Mapping
from service.core.rules.quarantine import Left
from service.errors import Fenced
from service.sync.guarded_retry import GuardedRetry
from service.sync.sinks.guarded import GuardedSink, GuardedSinkContext
from service.sync.upkeep.purge import Purger
from service.telemetry.metrics import Metrics
from tests.builders.small_crm import MAPPING, lead, lead_key, old_key
from tests.fakes.clocks import VirtualClock
from tests.fakes.memory import MemoryDynamoDB


def bad(name: str, **attributes: Any) -> Item:
    """An old item that cannot be mapped, because its entity is unknown."""
    return {**lead(name, **attributes), "entity_type": {"S": "GOBLIN"}}


class Owner:
    """Stands in for a lease: valid until a test sets ``valid`` to False."""

    def __init__(self, held_since: float = 0.0) -> None:
        self.held_since = held_since
        self.valid = True

    def check(self) -> None:
        if not self.valid:
            raise Fenced("superseded")


@dataclass
class SyncWorld:
    """An old table whose changes a test passes to sinks. ``rounds``: the number that the engine would report."""

    db: MemoryDynamoDB = field(default_factory=MemoryDynamoDB)
    clock: VirtualClock = field(default_factory=VirtualClock)
    mapping: Mapping = MAPPING
    changes: list[Change] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)
    metrics: Metrics = field(default_factory=Metrics)
    rounds: int = 0
    horizon_seconds: float = 20.0
    held_seconds: float = 0.0
    """How much longer than a worker may write the network may hold its last request."""

    def __post_init__(self) -> None:
        self.db.create_table("old", ("pk", "sk"))
        self.db.create_table("control", ("pk", "sk"))
        for name, shape in MAPPING.tables.items():
            self.db.create_table(name, shape.key_names)
        self.control = ControlTable(self.db, "control")
        self.stores = Stores(self.db, self.control, self.mapping, self.clock)
        self.quarantine = Quarantine(self.control, self.clock)
        self.tombstones: list[Put] = []

    def put(self, item: Item) -> Change:
        """The application writes an old item; its change."""
        return self._changed({"pk": item["pk"], "sk": item["sk"]}, item)

    def delete(self, name: str) -> Change:
        """The application deletes an old lead; its change."""
        return self._changed(old_key("LEAD", name), None)

    def _changed(self, key: Item, new: Item | None) -> Change:
        old = self.db.item("old", key)
        self.db.apply(Delete("old", key) if new is None else Put("old", new))
        change = Change("old", "shard", str(10**20 + len(self.changes)), key, old, new)
        self.changes.append(change)
        return change

    def sink(self, owner: Owner | None = None, concurrency: int = 4) -> GuardedSink:
        return GuardedSink(GuardedSinkContext(self.stores, 1, (owner or Owner()).check, self), concurrency)

    def purger(self, owner: Owner | None = None) -> Purger:
        times = SimpleNamespace(
            purge_grace_seconds=900.0,
            purge_sweep_seconds=3600.0,
            writer_horizon_seconds=self.horizon_seconds,
            purge_horizon_seconds=self.horizon_seconds + self.held_seconds,
            heartbeat_seconds=2.0,
        )
        return Purger(
            self.stores,
            times,
            cast(Lease, owner or Owner()),
            rounds=lambda: self.rounds,
            count=self._count_purge,
            retried=self._count_retry,
        )

    def retry(self, mapping: Mapping | None = None, clock: Clock | None = None) -> GuardedRetry:
        stores = Stores(self.db, self.control, mapping or self.mapping, clock or self.clock)
        return GuardedRetry(stores, generation=1, owner="op", seconds=6.0, left=self.left)

    def v2(self, name: str, month: str = "2024-05") -> Item | None:
        """The lead in v2; None if there is nothing or a bare tombstone."""
        item = self.db.item("leads", lead_key(name, month))
        return None if item is None or "id" not in item else item

    def id(self, name: str) -> str:
        return quarantine_id("old", old_key("LEAD", name))

    def count(self, outcome: str) -> None:
        self.counts[outcome] += 1
        self.metrics.count_write("forward", outcome)

    def tombstone(self, put: Put) -> None:
        self.tombstones.append(put)

    def left(self, table: str, key: Item, how: Left) -> None:
        self.counts[f"left {how}"] += 1
        self.metrics.count_left(how)

    def taken_over(self) -> int:
        return 0

    def _count_purge(self, outcome: str) -> None:
        self.counts[outcome] += 1
        self.metrics.count_purge(outcome)

    def _count_retry(self, reason: str) -> None:
        self.counts[reason] += 1
        self.metrics.count_retry(reason)


def fixed_mapping() -> Mapping:
    """The mapping once an operator has added GOBLIN to it, as a lead."""
    goblin = replace(MAPPING.entities["LEAD"], when={"entity_type": ({"S": "GOBLIN"},)})
    return replace(MAPPING, entities={**MAPPING.entities, "GOBLIN": goblin})
