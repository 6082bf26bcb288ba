"""Reverse passes forward's records without storing them, and what forward must know after a crash is shown by stamps."""

from dataclasses import dataclass, field

import pytest

from service.control.activity import Activities, ActivityRecorder
from service.control.conflicts import Conflicts
from service.control.ledger import Ledger
from service.control.quarantine import Quarantine, QuarantineCache
from service.control.stores import Stores
from service.control.table import ControlTable
from service.core.item.change import Change, parse_record
from service.core.item.stamp import own_stamp
from service.core.item.wire import Item
from service.core.item.write import Put, Update
from service.core.mapping.transform import forward
from service.core.phases.acting import Side
from service.core.rules.ledger import is_write_of
from service.sync.sinks.context import SinkContext
from service.sync.sinks.forward import ForwardSink
from service.sync.sinks.ledger_access import LedgerAccess
from service.sync.sinks.reverse import ReverseSink
from tests.builders.planes import WaitlessClock
from tests.builders.small_crm import MAPPING, lead, lead_key, old_key
from tests.fakes.memory import MemoryDynamoDB

CONTROL, OLD, LEADS = "control", "old", "leads"
CLOCK = WaitlessClock()


@dataclass
class Both:
    """An item on both sides, and sinks that read its streams."""

    memory: MemoryDynamoDB = field(default_factory=MemoryDynamoDB)
    read: dict[str, int] = field(default_factory=dict)
    """By table, how many records reverse or forward has passed, and saved."""

    async def has(self, table: str, key: Item, version: str) -> bool:
        """Implements ``StampSearch``."""
        images = [image for change in self.changes(table) for image in (change.old, change.new)]
        stamps = [own_stamp(image, key, MAPPING.stamp) for image in images]
        return any(stamp is not None and is_write_of(stamp.version, version) for stamp in stamps)

    async def silent(self, *, any_worker: bool = False) -> None:
        """Implements ``Superseded``."""

    def access(self, worker: str) -> LedgerAccess:
        control = ControlTable(self.memory, CONTROL)
        ledger, conflicts = Ledger(control, CLOCK, OLD, 1), Conflicts(control)
        stores = Stores(self.memory, control, MAPPING, CLOCK)
        return LedgerAccess(
            stores, ledger, conflicts, lambda: None, worker, self, self, purge_at_once=True, retried=lambda _: None
        )

    def context(self, side: Side) -> SinkContext:
        control = ControlTable(self.memory, CONTROL)
        quarantine = Quarantine(control, CLOCK)
        activity = ActivityRecorder(Activities(control), side, CLOCK, quiet=False)
        generations = dict.fromkeys((OLD, *MAPPING.tables), 1)
        return SinkContext(quarantine, QuarantineCache(quarantine, CLOCK), activity, generations, lambda _: None)

    def changes(self, table: str) -> list[Change]:
        """The changes of a table that are not passed."""
        (shard,) = [shard.shard_id for shard in self.memory.stream(table).describe(None).shards]
        records = self.memory.stream(table).read(shard, self.read.get(table, 0), 1000).records
        return [parse_record(record, table=table, shard_id=shard) for record in records]

    async def forward(self, worker: str = "one") -> None:
        await ForwardSink(self.access(worker), self.context("old"), 1).apply("shard", self.changes(OLD))

    async def reverse(self) -> None:
        await ReverseSink(self.access("back"), self.context("v2"), 1).apply("shard", self.changes(LEADS))
        self.read[LEADS] = self.read.get(LEADS, 0) + len(self.changes(LEADS))

    def halves(self) -> set[str]:
        """The halves of the ledger entry that are stored."""
        entries = [item for item in self.memory.items(CONTROL) if item["pk"]["S"].startswith("ledger#")]
        return {name for item in entries for name in ("forward", "reverse") if name in item}


@pytest.fixture
async def both() -> Both:
    made = Both()
    made.memory.create_table(CONTROL, ("pk", "sk"))
    made.memory.create_table(OLD, ("pk", "sk"))
    for table in MAPPING.tables:
        made.memory.create_table(table, ("PK", "SK"))
    item = lead("1", status={"S": "new"})
    made.memory.apply(Put(OLD, item))
    made.memory.apply(Put(LEADS, forward(MAPPING, item).item))
    made.read = {OLD: 1, LEADS: 1}
    return made


def set_old(both: Both, **values: str) -> None:
    both.memory.apply(Update(OLD, old_key("LEAD", "1"), {name: {"S": value} for name, value in values.items()}))


def set_v2(both: Both, **values: str) -> None:
    """v2's application puts its item anew, without our stamp."""
    item = both.memory.item(LEADS, lead_key("1"))
    assert item is not None
    plain = {name: value for name, value in item.items() if name != MAPPING.stamp}
    both.memory.apply(Put(LEADS, plain | {name: {"S": value} for name, value in values.items()}))


async def test_forwards_records_are_not_stored(both: Both) -> None:
    set_old(both, status="won")
    await both.forward()
    await both.reverse()
    assert both.halves() == {"forward"}
    set_v2(both, company="v2")
    await both.reverse()
    assert both.halves() == {"forward", "reverse"}, "the application's are"


@pytest.mark.parametrize("passed", [0, 1, 2], ids=["neither", "ours", "both"])
async def test_a_write_that_the_application_has_replaced_is_known_to_have_been_made(both: Both, passed: int) -> None:
    """Forward writes, dies before it saves its position, and v2's application drops the stamp. Wherever reverse has read to, the
    next worker knows that the write was made: else it would judge the change against what v2 has now, and log it as lost."""
    set_old(both, status="won")
    await both.forward()
    if passed:
        await both.reverse()
    set_v2(both, status="lost by v2")
    if passed > 1:
        await both.reverse()
    await both.forward(worker="two")
    assert await Conflicts(ControlTable(both.memory, CONTROL)).heads() == {}
    item = both.memory.item(LEADS, lead_key("1"))
    assert item is not None
    assert item["status"] == {"S": "lost by v2"}
