"""The middle of `dual`, as version 0.1.0 left it, is gone on with: its entries, stamps, items in quarantine and held items."""

from typing import Any

import orjson
import pytest

from service.control.activity import Activities, ActivityRecorder
from service.control.conflicts import Conflicts
from service.control.ledger import Ledger
from service.control.quarantine import Quarantine, quarantine_id
from service.control.quarantine_cache import QuarantineCache
from service.control.stores import Stores
from service.control.table import ControlTable
from service.control.waiting_changes import WaitingChange, WaitingChanges
from service.core.item.change import Change, parse_record
from service.core.item.stamp import Stamp, encode_stamp, own_stamp, stamped
from service.core.item.wire import Item
from service.core.item.write import Delete, Put, Update
from service.core.mapping.transform import forward, v2_place
from service.core.phases.acting import Side
from service.core.rules.ledger import Entry, Place, count_version
from service.sync.sinks.context import SinkContext
from service.sync.sinks.forward import ForwardSink
from service.sync.sinks.ledger_access import LedgerAccess
from service.sync.sinks.reverse import ReverseSink
from tests.fakes.clocks import VirtualClock
from tests.upgrade.left_state import crm, world

TABLES = {"old": 1, "deals": 2}
"""The tables that are written, and the generations of their streams, as they were left."""


class NothingFound:
    """Implements ``StampSearch`` and ``Superseded``: version 0.1 has no claims, so nothing is looked for."""

    async def has(self, table: str, key: Item, version: str) -> bool:
        raise AssertionError(f"{version} is looked for in {table}")

    async def silent(self, *, any_worker: bool = False) -> None:
        raise AssertionError("a worker is waited for")


def deal(number: int, **texts: str) -> Item:
    contents = {
        "pk": f"DEAL#{number}",
        "sk": "METADATA",
        "entity_type": "DEAL",
        "id": str(number),
        "created_at": "2024-03-05",
        **texts,
    }
    return {name: {"S": text} for name, text in contents.items()}


def key_of(number: int) -> Item:
    return {name: deal(number)[name] for name in ("pk", "sk")}


def place(number: int, month: str = "2024-03") -> Place:
    return Place(*v2_place(crm(), deal(number, created_at=f"{month}-05")))


class Dual:
    """Both tables and the control table, with both directions applying what is written from now on."""

    def __init__(self) -> None:
        self.db, self.clock = world("in_dual"), VirtualClock()
        self.control = ControlTable(self.db, "control")
        self.quarantine = Quarantine(self.control, self.clock)
        self.ledger = Ledger(self.control, self.clock, "old", 1)
        self.applied = dict.fromkeys(TABLES, 0)
        self.outcomes: list[str] = []

    def lay(self, old: Item, v2: Item) -> None:
        """What lies on both sides; no record of it is left to read."""
        self.db.apply(Put("old", old))
        self.db.apply(Put("deals", v2))
        self.applied = {table: len(self._changes(table)) for table in TABLES}

    async def carry(self) -> None:
        """Apply every record, until none is left."""
        while any(self.applied[table] < len(self._changes(table)) for table in TABLES):
            for table in TABLES:
                changes = self._changes(table)[self.applied[table] :]
                self.applied[table] += len(changes)
                await self._sink(table).apply("shard", changes)

    def old(self, number: int) -> Item:
        item = self.db.item("old", key_of(number))
        assert item is not None
        return item

    def v2(self, number: int) -> Item:
        item = self.db.item("deals", place(number).key)
        assert item is not None
        return item

    async def entry(self, number: int) -> Entry:
        return (await self.ledger.read(key_of(number))).entry

    def _changes(self, table: str) -> list[Change]:
        ((shard, content),) = self.db.stream(table)._all.items()
        return [parse_record(orjson.loads(record), table=table, shard_id=shard) for _, record in content.records]

    def _sink(self, table: str) -> ForwardSink | ReverseSink:
        nothing = NothingFound()
        access = LedgerAccess(
            Stores(self.db, self.control, crm(), self.clock),
            self.ledger,
            Conflicts(self.control),
            lambda: None,
            "w",
            nothing,
            nothing,
            purge_at_once=True,
            retried=lambda _: None,
            in_flight=set(),
        )
        side: Side = "old" if table == "old" else "v2"
        recorder = ActivityRecorder(Activities(self.control), side, self.clock, quiet=False)
        context = SinkContext(
            self.quarantine, QuarantineCache(self.quarantine, self.clock), recorder, TABLES, self.outcomes.append
        )
        return ForwardSink(access, context, 1) if table == "old" else ReverseSink(access, context, 1)


@pytest.fixture
def dual() -> Dual:
    return Dual()


FORWARDS, REVERSES = 21, 15
"""The deals that were last written by forward, and by reverse."""


def by_forward(number: int, version: int, **texts: str) -> Item:
    """A v2 item as 0.1.0 wrote it: the stamp is not bound to a key."""
    return stamped(forward(crm(), deal(number, **texts)), f"0001.{version:040d}", "_sync", base=count_version(1, 0))


def by_reverse(number: int, **texts: str) -> Item:
    """An old item as 0.1.0 wrote it, with count 1."""
    return {**deal(number, **texts), "_sync": encode_stamp(Stamp(count_version(1, 1)))}


def without_stamp(item: Item) -> Item:
    return {name: value for name, value in item.items() if name != "_sync"}


def set_on(dual: Dual, table: str, number: int, **texts: str) -> None:
    """An application updates its item, and keeps whatever stamp it has."""
    key = key_of(number) if table == "old" else place(number).key
    dual.db.apply(Update(table, key, {name: {"S": text} for name, text in texts.items()}))


async def test_forward_goes_on(dual: Dual) -> None:
    dual.lay(deal(FORWARDS, title="a"), by_forward(FORWARDS, 1251, title="a"))
    set_on(dual, "old", FORWARDS, title="b")
    await dual.carry()
    assert dual.v2(FORWARDS)["title"] == {"S": "b"}
    assert dual.outcomes == ["applied", "own"]
    stamp = own_stamp(dual.v2(FORWARDS), place(FORWARDS).key, "_sync")
    assert stamp is not None
    assert (stamp.base, stamp.key_hash is not None) == (count_version(1, 0), True)


async def test_reverse_goes_on_with_the_next_count(dual: Dual) -> None:
    dual.lay(by_reverse(REVERSES, title="a"), forward(crm(), deal(REVERSES, title="a")).item)
    set_on(dual, "deals", REVERSES, title="b")
    await dual.carry()
    assert without_stamp(dual.old(REVERSES)) == deal(REVERSES, title="b")
    assert dual.outcomes == ["applied", "own"]
    stamp = own_stamp(dual.old(REVERSES), key_of(REVERSES), "_sync")
    assert stamp is not None
    assert stamp.version == count_version(1, 2)


async def test_both_sides_write_fields_of_their_own_at_once(dual: Dual) -> None:
    dual.lay(by_reverse(REVERSES, title="a", stage="a"), forward(crm(), deal(REVERSES, title="a", stage="a")).item)
    set_on(dual, "deals", REVERSES, title="v2")
    set_on(dual, "old", REVERSES, stage="old side")
    await dual.carry()
    assert without_stamp(dual.old(REVERSES)) == deal(REVERSES, title="v2", stage="old side")
    v2 = dual.v2(REVERSES)
    assert (v2["title"], v2["stage"]) == ({"S": "v2"}, {"S": "old side"})
    assert "conflict" not in dual.outcomes


async def test_the_entry_has_the_present_form_once_both_have_written(dual: Dual) -> None:
    dual.lay(by_reverse(REVERSES, title="a"), forward(crm(), deal(REVERSES, title="a")).item)
    before = await dual.entry(REVERSES)
    set_on(dual, "deals", REVERSES, title="b")
    await dual.carry()
    (item,) = [
        row
        for row in dual.db.items("control")
        if "REVERSE" not in row and row.get("key") and "DEAL#15" in row["key"]["S"]
    ]
    assert "document" not in item
    after = await dual.entry(REVERSES)
    assert (after.forward.done > before.forward.done, after.forward.seen) == (True, count_version(1, 2))
    assert after.reverse.put_of("stage") == count_version(1, 1), "0.1.0 wrote the whole item"
    assert after.reverse.folded(place(REVERSES)).put_of("title") == count_version(1, 2)


async def test_what_forward_wrote_before_it_saw_reverses_last_write_is_brought_back(dual: Dual) -> None:
    """Both of version 0.1: reverse had put the whole item over what forward carried. The record is read after the upgrade."""
    dual.lay(by_reverse(REVERSES, title="a"), forward(crm(), deal(REVERSES, title="a")).item)
    dual.db.apply(Put("deals", by_forward(REVERSES, 1300, title="of the old side")))
    await dual.carry()
    assert without_stamp(dual.old(REVERSES)) == deal(REVERSES, title="of the old side")
    assert dual.outcomes[0] == "carried_back"


async def test_a_record_that_was_applied_is_not_applied_again(dual: Dual) -> None:
    """The saved position may lag behind the entry."""
    dual.lay(deal(FORWARDS, title="v2"), by_forward(FORWARDS, 1251, title="v2"))
    again = Change("old", "shard", "1251", key_of(FORWARDS), deal(FORWARDS, title="0"), deal(FORWARDS, title="a"))
    await dual._sink("old").apply("shard", [again])
    passed = Change("deals", "shard", "1262", place(FORWARDS).key, None, by_forward(FORWARDS, 1251, title="a"))
    await dual._sink("deals").apply("shard", [passed])
    assert dual.outcomes == ["duplicate", "duplicate"]
    assert (dual.v2(FORWARDS)["title"], dual.old(FORWARDS)["title"]) == ({"S": "v2"}, {"S": "v2"})


async def test_an_item_that_was_held_is_held_until_one_place_is_free(dual: Dual) -> None:
    for row in dual.db.items("control"):
        if row["pk"]["S"].startswith("ledger#") and "DEAL#15" in row["document"]["S"]:
            document: dict[str, Any] = orjson.loads(row["document"]["S"])
            document |= {"held_since": 9.0, "keys": [place(REVERSES).text, place(REVERSES, "2024-05").text]}
            dual.db.apply(Put("control", {**row, "document": {"S": orjson.dumps(document).decode()}}))
    other = forward(crm(), deal(REVERSES, title="other", created_at="2024-05-05")).item
    dual.lay(by_reverse(REVERSES, title="a"), forward(crm(), deal(REVERSES, title="a")).item)
    dual.db.apply(Put("deals", other))
    await dual.carry()
    assert (await dual.entry(REVERSES)).reverse.held_since == 9.0
    dual.db.apply(Delete("deals", place(REVERSES).key))
    await dual.carry()
    assert (await dual.entry(REVERSES)).reverse.held_since is None
    assert without_stamp(dual.old(REVERSES)) | {"updated_at": None} == deal(
        REVERSES, title="other", created_at="2024-05-05"
    ) | {"updated_at": None}


def put_in_quarantine(dual: Dual, change: Change) -> str:
    """A head as 0.1.0 wrote it, without units, and the change that waits behind it."""
    name = quarantine_id("old", change.key)
    waiting = WaitingChange(change, 1)
    head = {
        "table": "old",
        "key": change.key,
        "reason": "unknown_entity",
        "message": "entity_type is 'GOBLIN'",
        "first_seen": 7.0,
        "origin": "stream",
        "attempts": 1,
        "waiting": 1,
        "last_version": waiting.version,
    }
    document = {"document": {"S": orjson.dumps(head).decode()}, "rev": {"S": "r1"}}
    dual.db.apply(Put("control", {"pk": {"S": "quarantine"}, "sk": {"S": name}, **document}))
    dual.db.apply(*WaitingChanges(dual.control, name).puts(waiting))
    return name


async def test_a_head_in_quarantine_waits_as_a_whole_item_and_is_judged_from_before_its_first_change(
    dual: Dual,
) -> None:
    """The mended change brings what the waiting one has changed along: the title, which it does not change itself."""
    first, bad = deal(FORWARDS, title="a"), {**deal(FORWARDS, title="b"), "entity_type": {"S": "GOBLIN"}}
    name = put_in_quarantine(dual, Change("old", "shard", "1349", key_of(FORWARDS), first, bad))
    dual.lay(bad, by_forward(FORWARDS, 1251, title="a"))
    set_on(dual, "old", FORWARDS, entity_type="DEAL", stage="won")
    await dual.carry()
    v2 = dual.v2(FORWARDS)
    assert (v2["title"], v2["stage"]) == ({"S": "b"}, {"S": "won"})
    assert name not in await dual.quarantine.heads()


async def test_a_head_in_quarantine_stays_while_the_item_cannot_be_mapped(dual: Dual) -> None:
    first, bad = deal(FORWARDS, title="a"), {**deal(FORWARDS, title="b"), "entity_type": {"S": "GOBLIN"}}
    name = put_in_quarantine(dual, Change("old", "shard", "1349", key_of(FORWARDS), first, bad))
    dual.lay(bad, by_forward(FORWARDS, 1251, title="a"))
    set_on(dual, "old", FORWARDS, stage="won")
    await dual.carry()
    head = (await dual.quarantine.heads())[name]
    assert (head.units, head.waiting) == ((), 2)
    assert dual.v2(FORWARDS)["title"] == {"S": "a"}
