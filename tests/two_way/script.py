"""One item's interleaving, written step by step: which side writes what, and which record is read when.

Both directions are the real sinks; a test only decides their order. ``month`` decides the v2 key, and each key has a stream of its
own, as if DynamoDB had split their partition.
"""

from collections.abc import Coroutine
from dataclasses import replace
from typing import Any, Literal

from service.core.item.change import Change, parse_record
from service.core.item.wire import Item
from service.core.item.write import Delete, Put
from service.core.mapping.inverse import inverse
from service.core.mapping.transform import forward
from service.core.phases.acting import Side
from service.core.rules import guarded as apply_rule
from service.rehearsal import judgement
from service.sync.sinks.before_dual import EnteringSink, RogueWriteSink
from service.sync.sinks.forward import ForwardSink
from service.sync.sinks.guarded import apply_writes
from service.sync.sinks.reverse import ReverseSink
from tests.builders.mappings import crm
from tests.convergence.invariants import Violated
from tests.two_way.application import CREATED, KEY
from tests.two_way.control_view import held_names
from tests.two_way.histories import history_of, watch
from tests.two_way.judge import judge
from tests.two_way.recorder import Recorder
from tests.two_way.witness import Witness, watch_places
from tests.two_way.world import GENERATION, new_world

Stream = int | Literal["old"]
"""The old table's stream, or that of the v2 key of a month."""

STREAMS: tuple[Stream, ...] = ("old", 0, 1)


class Script:
    """The item exists on both sides at month 0, unless a test deletes it. Each write has a value of its own, or the one given.

    ``ledger`` False: the script begins under the guarded rule, before the first `dual`.
    """

    def __init__(self, *, ledger: bool = True, unique: bool = True) -> None:
        self.world = new_world(0, crm())
        self.world.unique = unique
        self.mapping = self.world.mapping
        self.table = self.world.v2_tables[0]
        self.world.rule, self.world.entered = ("ledger" if ledger else "guarded"), ledger
        self.zombie: Change | None = None
        self.forward_guarded = False
        watch_places(self.world)
        item: Item = {**KEY, "entity_type": {"S": "DEAL"}, "id": {"S": "1"}, "created_at": {"S": CREATED[0]}}
        item |= {"title": {"S": "0"}, "stage": {"S": "0"}}
        self.world.memory.apply(Put(self.world.old, item))
        self.world.memory.apply(apply_rule.copy_write(self.mapping, item, GENERATION))
        self.recorder = Recorder(self.mapping)
        watch(self.world, self.recorder)
        self.begun = {stream: len(self._changes(stream)) for stream in STREAMS}
        self.read, self.saved = dict(self.begun), dict(self.begun)

    # The application.

    def old_now(self) -> Item:
        """The old item as it is, stamp included."""
        item = self.world.memory.item(self.world.old, KEY)
        assert item is not None
        return item

    def old_put(self, month: int = 0, **values: str) -> None:
        """Put a whole new item, without a stamp. Fields that are named without a value (``title=""``) get one of their own."""
        self.world.write("old", Put(self.world.old, self._item(month, values)), KEY)

    def old_update(self, month: int | None = None, **values: str) -> None:
        """Put the item with its stamp, with fields changed, or moved."""
        moved: Item = {} if month is None else {"created_at": {"S": CREATED[month]}}
        self.world.write("old", Put(self.world.old, {**self.old_now(), **moved, **self._values(values)}), KEY)

    def old_delete(self) -> None:
        """Delete the item."""
        self.world.write("old", Delete(self.world.old, KEY), KEY)

    def old_back(self, image: Item) -> None:
        """Put an earlier image back, stamp included."""
        self.world.write("old", Put(self.world.old, image), KEY)

    def v2_now(self, month: int = 0) -> Item:
        """The v2 item as it is, stamp included."""
        item = self.world.memory.item(self.table, self._key(month))
        assert item is not None
        return item

    def v2_put(self, month: int = 0, **values: str) -> None:
        """Put a whole new item, without a stamp."""
        v2 = forward(self.mapping, self._item(month, values))
        self.world.write("v2", Put(self.table, v2.item), v2.key)

    def v2_update(self, month: int = 0, **values: str) -> None:
        """Put the item with its stamp, with fields changed."""
        now = self.v2_now(month)
        stamp = {name: value for name, value in now.items() if name == self.mapping.stamp}
        old = inverse(self.mapping, {name: now[name] for name in now.keys() - stamp.keys()}, self.table)
        v2 = forward(self.mapping, {**old, **self._values(values)})
        self.world.write("v2", Put(self.table, {**v2.item, **stamp}), v2.key)

    def v2_delete(self, month: int = 0, *, moving: bool = False) -> None:
        """Delete the item at a key."""
        self.world.write("v2", Delete(self.table, self._key(month)), self._key(month), moving=moving)

    def v2_back(self, image: Item, month: int = 0) -> None:
        """Put an earlier image back, stamp included."""
        self.world.write("v2", Put(self.table, image), self._key(month))

    # The sync.

    def forward(self, records: int = 1) -> None:
        """The owner of the old stream applies its next records."""
        for _ in range(records):
            self._take("old", self._next("old"))

    def forward_page(self, records: int) -> None:
        """The same, with these records in one page: those of the application are carried as one."""
        self._take("old", *(self._next("old") for _ in range(records)))

    def reverse(self, month: int = 0, records: int = 1) -> None:
        """The owner of a v2 key's stream applies its next records."""
        for _ in range(records):
            self._take(month, self._next(month))

    def replay_forward(self, record: int) -> None:
        """Apply a record of the script again (0: the first)."""
        self._take("old", self._changes("old")[self.begun["old"] + record])

    def replay_reverse(self, record: int, month: int = 0) -> None:
        """The same on a v2 key."""
        self._take(month, self._changes(month)[self.begun[month] + record])

    # The first move into `dual`, and what happens in between.

    def save(self) -> None:
        """Positions are saved."""
        self.saved = dict(self.read)

    def crash(self) -> None:
        """Both directions begin again at their saved positions."""
        self.read = dict(self.saved)

    def take_over_in_hand(self, record: int) -> None:
        """The guarded owner is superseded, does not know it, and has a record in hand."""
        self.zombie = self._changes("old")[self.begun["old"] + record]

    def zombie_writes(self) -> None:
        """The superseded owner's write of that record arrives, unless the horizon has passed."""
        if self.zombie is not None:
            self._guarded(self.zombie)

    def forward_half(self) -> None:
        """The guarded owner makes the first of the writes of its next record, and crashes."""
        change = self._changes("old")[self.read["old"]]
        self.world.memory.apply(apply_rule.change_writes(self.mapping, [change], GENERATION)[0])

    def purge(self, month: int = 0) -> None:
        """Purge the tombstone that was written before `dual`."""
        tombstone = self.v2_now(month)
        assert self.world.memory.apply(apply_rule.purge_write(self.mapping, self.table, tombstone))

    def switch(self) -> None:
        """Forward changes to the ledger rule."""
        self.world.rule = "entering"

    def horizon(self) -> None:
        """No superseded process is left."""
        self.zombie = None

    def drain(self) -> None:
        """Forward reads to the end."""
        while self.left("old"):
            self.forward()

    def observe(self) -> None:
        """Reverse reads to the end, and its positions are saved."""
        for month in (0, 1):
            while self.left(month):
                self.reverse(month)
            self.saved[month] = self.read[month]

    def acknowledge(self) -> None:
        """Reverse carries from now on; only then the application may write v2."""
        self._carry()

    def enter(self) -> None:
        """All steps from the switch to the acknowledgement."""
        self.horizon()
        self.drain()
        self.observe()
        self.acknowledge()

    def roll_back(self) -> None:
        """Move back to `forward`: the rules stay as they are."""

    # The end.

    def check(self) -> None:
        """Read everything to the end, then check the invariants. Raises Violated."""
        if self.world.rule != "ledger":
            self._carry()
        while any(self.left(stream) for stream in STREAMS):
            for stream in STREAMS:
                while self.left(stream):
                    self._take(stream, self._next(stream))
        judge(self.world)
        if self.world.unique and not held_names(self.world):
            broken = judgement.judge(history_of(self.world, self.recorder, []))
            if broken:
                raise Violated("\n".join(broken))

    # How the steps are made.

    def _carry(self) -> None:
        self.world.rule = "ledger"
        tombstones = [item for item in self.world.memory.items(self.table) if "id" not in item]
        self.world.early_tombstones = {item[self.mapping.stamp]["M"]["v"]["S"] for item in tombstones}

    def _take(self, stream: Stream, change: Change, *later: Change) -> None:
        world = self.world
        side: Side = "old" if stream == "old" else "v2"
        witness = Witness(world, side)
        table = world.old if side == "old" else self.table
        # Nobody else has a turn while a sink acts: forward cannot wait for reverse.
        access = replace(world.access(f"sync {table}", table), both_written=False)
        context = world.context(witness, witness.count)
        if side == "old" and (self.forward_guarded or world.rule == "guarded"):
            self._guarded(change)
        elif side == "old":
            _run(ForwardSink(access, context, 1).apply_key([change, *later]))
        elif world.rule == "ledger":
            _run(ReverseSink(access, context, 1).apply_key([change]))
        elif world.rule == "entering":
            rogue_writes = RogueWriteSink(self.mapping, witness)
            _run(EnteringSink(access, rogue_writes, context.generations, 1).apply_key([change]))
        for taken in (change, *later):
            witness.judged(taken)
            world.read.add((taken.table, taken.sequence))

    def _guarded(self, change: Change) -> None:
        for write in apply_rule.guarded_writes(self.mapping, [change], GENERATION):
            _run(apply_writes(self.world.memory, [write], fence=lambda: None))

    def _changes(self, stream: Stream) -> list[Change]:
        table = self.world.old if stream == "old" else self.table
        changes = [
            parse_record(record, table=table, shard_id=shard)
            for shard in self.world.shards(table)
            for record in self.world.memory.stream(table).read(shard, 0, 1000).records
        ]
        return [change for change in changes if stream == "old" or change.key == self._key(stream)]

    def left(self, stream: Stream) -> int:
        """How many records of a stream are unread."""
        return len(self._changes(stream)) - self.read[stream]

    def _next(self, stream: Stream) -> Change:
        change = self._changes(stream)[self.read[stream]]
        self.read[stream] += 1
        return change

    def _key(self, month: int) -> Item:
        return forward(self.mapping, self._item(month, {})).key

    def _item(self, month: int, values: dict[str, str]) -> Item:
        named: Item = {**KEY, "entity_type": {"S": "DEAL"}, "id": {"S": "1"}, "created_at": {"S": CREATED[month]}}
        return {**named, **self._values(values)}

    def _values(self, values: dict[str, str]) -> Item:
        own = f"w{len(self.world.app)}"
        return {name: {"S": value or own} for name, value in values.items()}


def _run(steps: Coroutine[Any, Any, object]) -> None:
    """Run all steps at once; no other actor has a turn."""
    try:
        while True:
            steps.send(None)
    except StopIteration:
        return
