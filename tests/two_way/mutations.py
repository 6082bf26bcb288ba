"""Each rule of the ledger protocol (DESIGN sections 4 and 6) switched off: the random search must find the violation.

A mutation replaces real functions of the service, or a step of the first move into `dual`, or what a process of the tests does.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import pytest
from service.sync.sinks.ledger_transaction import LedgerTransaction

from service.control.conflicts import Conflict, Conflicts
from service.control.ledger import EntryReading, Ledger
from service.core.item.change import Change
from service.core.item.stamp import Stamp, encode_stamp, is_bare_tombstone
from service.core.item.wire import Item
from service.core.item.write import Absent, AnyOf, Condition, Delete, Exists, Put, TransactItem, Write
from service.core.mapping.mapping import Mapping
from service.core.rules import authorship, ledger_writes
from service.core.rules import forward as ledger_forward
from service.core.rules import reverse as ledger_reverse
from service.core.rules.authorship import Authorship, live
from service.core.rules.forward import ForwardPlan
from service.core.rules.ledger import Entry, Place, Track, count_version
from service.core.rules.ledger_writes import PlaceReading
from service.core.rules.reverse import ReversePlan
from service.sync.sinks import forward as forward_ledger
from service.sync.sinks import ledger_transaction
from service.sync.sinks import reverse as reverse_ledger
from service.sync.sinks.before_dual import EnteringSink
from service.sync.sinks.reverse import ReverseSink
from tests.convergence.trampoline import Turn
from tests.fakes.memory_stream import FIRST_SEQUENCE
from tests.two_way.conductor import Entering
from tests.two_way.processes import Process
from tests.two_way.world import World

Patch = tuple[Any, str, Any]
"""Module or class, the name in it, and its replacement."""

HIGHEST = "~"
"""Above every count."""

REAL_FORWARD_PLAN = ledger_forward.forward_plan
REAL_REVERSE_PLAN = ledger_reverse.reverse_plan
REAL_AUTHORSHIP_ON_V2 = authorship.authorship_on_v2
REAL_WRITTEN = ledger_forward._written
REAL_READ = Ledger.read
REAL_LEDGER_PUT = Ledger.put
REAL_REVERSE_WRITES = ReverseSink._writes
REAL_SWITCH = Entering.switch
REAL_TRANSACTION = World.transaction
REAL_COMMIT = LedgerTransaction.commit
REAL_CONFLICT_PUTS = Conflicts.puts


@dataclass(frozen=True, slots=True)
class Mutation:
    """A rule switched off: its name, how, and a seed at or after which the search finds it."""

    name: str
    patches: tuple[Patch, ...]
    seed: int


def forgetting(forget: Callable[[Entry], Entry]) -> Patch:
    """Every reader of the ledger sees an entry without the facts that the rule needs."""

    async def read(self: Ledger, key: Item) -> EntryReading:
        record = await REAL_READ(self, key)
        return replace(record, entry=forget(record.entry))

    return Ledger, "read", read


def _without_done(entry: Entry) -> Entry:
    return replace(entry, done="")


def without_tracks_done(entry: Entry) -> Entry:
    """Reverse remembers no record."""
    return replace(entry, tracks={place: replace(track, done="") for place, track in entry.tracks.items()})


def _without_seen_on_old(entry: Entry) -> Entry:
    return replace(entry, seen=count_version(entry.epoch, 0))


def _without_seen_on_v2(entry: Entry) -> Entry:
    return replace(entry, tracks={place: replace(track, seen="") for place, track in entry.tracks.items()})


def _without_keys(entry: Entry) -> Entry:
    return replace(entry, keys=())


def put_always(mapping: Mapping, change: Change, reading: Any, entry: Entry) -> ForwardPlan:
    """Forward writes the change's image, whatever v2 holds."""
    return REAL_WRITTEN(mapping, reading, entry, ledger_forward.old_image(mapping, change.new), "applied")


def base_of_all(change: Change, stamp_name: str, entry: Entry, place: Place) -> Authorship:
    """No write of forward's seems to have missed one of reverse's."""
    author = REAL_AUTHORSHIP_ON_V2(change, stamp_name, entry, place)
    return author if author.stamp is None else author._replace(stamp=replace(author.stamp, base=HIGHEST))


def delete_without_tombstone(mapping: Mapping, reading: PlaceReading, _version: str, _base: str) -> Delete:
    """Forward deletes an item of v2 at once."""
    return Delete(reading.place.table, reading.place.key, ledger_writes.as_read(mapping, reading, ()))


def one_step_deletes(self: ReverseSink, before: Entry, plan: ReversePlan) -> list[Write]:
    """Reverse deletes the old item at once."""
    mapping, key = self._mapping, before.key
    return [
        Delete(mapping.old.table, key)
        if isinstance(write, Put) and is_bare_tombstone(write.item, key, mapping.stamp)
        else write
        for write in REAL_REVERSE_WRITES(self, before, plan)
    ]


def image_of_record(
    mapping: Mapping,
    place: Place,
    change: Change,
    version: str,
    entry: Entry,
    known: Sequence[PlaceReading],
    now: float,
) -> ReversePlan:
    """Reverse writes the record's image; nothing for a removal at a key that the old item does not lead to."""
    if change.new is None and len(known) > 1:
        return ReversePlan("own", ledger_reverse.passed(mapping, place, change, version, entry))
    return REAL_REVERSE_PLAN(mapping, place, change, version, entry, [PlaceReading(place, change.new)], now)


def first_of_two(
    mapping: Mapping,
    place: Place,
    change: Change,
    version: str,
    entry: Entry,
    known: Sequence[PlaceReading],
    now: float,
) -> ReversePlan:
    """Of two live places, reverse carries the first."""
    alive = [reading for reading in known if live(reading.item, reading.place.key, mapping.stamp)]
    return REAL_REVERSE_PLAN(mapping, place, change, version, entry, alive[:1], now)


def stamped_with_sequence(
    mapping: Mapping,
    place: Place,
    change: Change,
    version: str,
    entry: Entry,
    known: Sequence[PlaceReading],
    now: float,
) -> ReversePlan:
    """The stamp on the old item is the sequence number of the v2 record that led to the write."""
    plan = REAL_REVERSE_PLAN(mapping, place, change, version, entry, known, now)
    if plan.put is None or plan.entry is None:
        return plan
    put = count_version(entry.epoch, int(change.sequence) - FIRST_SEQUENCE + 1)
    tombstone = is_bare_tombstone(plan.put.item, entry.key, mapping.stamp)
    item = {**plan.put.item, mapping.stamp: encode_stamp(Stamp(put, tombstone=tombstone))}
    return replace(plan, entry=replace(plan.entry, put=put), put=replace(plan.put, item=item))


def keys_as_before(mapping: Mapping, change: Change, version: str, entry: Entry, *more: Any) -> ForwardPlan:
    """Forward does not record which places are live now."""
    plan = REAL_FORWARD_PLAN(mapping, change, version, entry, *more)
    return plan if plan.entry is None else replace(plan, entry=replace(plan.entry, keys=entry.keys))


def not_held_by_forward(mapping: Mapping, change: Change, version: str, entry: Entry, *more: Any) -> ForwardPlan:
    """Forward does not hold two live places; only reverse does."""
    plan = REAL_FORWARD_PLAN(mapping, change, version, entry, *more)
    return plan if plan.entry is None else replace(plan, entry=replace(plan.entry, held_since=entry.held_since))


async def notes_nothing(_noting: EnteringSink, _changes: Sequence[Change]) -> None:
    """Before it carries, reverse only observes."""


def track_of_item(entry: Entry, place: Place) -> Track:
    """The highest stamp version seen counts for all places of an item together."""
    own = entry.tracks.get(place.text, Track())
    return replace(own, seen=max([track.seen for track in entry.tracks.values()], default=""))


def whatever_is_there(_mapping: Mapping, reading: PlaceReading, _others: Any) -> Condition:
    """A condition that always holds."""
    path = (next(iter(reading.place.key)),)
    return AnyOf((Absent(path), Exists(path)))


def unconditional_put(self: Ledger, read: EntryReading, entry: Entry) -> Put:
    """The ledger entry is replaced even if it has changed since it was read."""
    return replace(REAL_LEDGER_PUT(self, read, entry), condition=None)


def purge_whatever(_mapping: Mapping, _table: str, _tombstone: Item) -> None:
    """A purge also deletes an item that has replaced the tombstone."""


async def left_out(_entering: Entering) -> None:
    """The step is not made."""


async def entered_first(entering: Entering) -> None:
    """The application may write v2 before any worker has changed its rule."""
    entering.world.entered = True
    for _ in range(60):
        await Turn()
    await REAL_SWITCH(entering)


def purging_at_once(world: World) -> LedgerTransaction:
    """A tombstone goes as soon as it is written, in every phase."""
    return replace(REAL_TRANSACTION(world), purge_at_once=True)


async def commit_in_two(
    self: LedgerTransaction, read: EntryReading, entry: Entry, writes: Sequence[TransactItem]
) -> bool:
    """A move is two transactions: the put, and later the tombstone."""
    if not await REAL_COMMIT(self, read, entry, writes[:1]):
        return False
    return len(writes) < 2 or await self.stores.store.transact(writes[1:], fence=self.fence) or True


def kept_whatever_is_there(self: Conflicts, conflict: Conflict) -> list[Put]:
    """A conflict that is in the log already is no reason to try again."""
    return [replace(put, condition=None) for put in REAL_CONFLICT_PUTS(self, conflict)]


async def position_first(self: Process, position: int, changes: list[Change]) -> None:
    """A position is saved before what lies before it has taken effect."""
    await self.save(position + len(changes))
    await self.apply(changes)


def _ledger_forgets(name: str, forget: Callable[[Entry], Entry], seed: int = 0) -> Mutation:
    return Mutation(name, (forgetting(forget),), seed)


def _patched(name: str, target: Any, attribute: str, broken: Any, seed: int = 0) -> Mutation:
    return Mutation(name, ((target, attribute, broken),), seed)


MUTATIONS = (
    Mutation(
        "forward applies a record again",
        (forgetting(_without_done), (Conflicts, "puts", kept_whatever_is_there)),
        29,
    ),
    _ledger_forgets("reverse applies a record again", without_tracks_done, seed=46),
    _patched("forward puts without comparing", ledger_forward, "_decided", put_always, seed=5),
    _patched("nothing is carried back", ledger_reverse, "authorship_on_v2", base_of_all, seed=81),
    _ledger_forgets("authorship on old without seen", _without_seen_on_old, seed=91),
    _ledger_forgets("authorship on v2 without seen", _without_seen_on_v2, seed=33),
    _patched("authorship on v2 without the base", authorship, "count_version", lambda *_: "", seed=6),
    _patched("forward deletes in one step", ledger_forward, "tombstone_update", delete_without_tombstone, seed=5),
    _patched("reverse deletes in one step", ReverseSink, "_writes", one_step_deletes, seed=0),
    _patched("covered changes are applied", ledger_forward, "_covers", lambda *_: False, seed=44),
    _patched("a half-done guarded move stays so", ledger_forward, "_is_older", lambda *_: False, seed=3240),
    _patched("reverse writes the record's image", reverse_ledger, "reverse_plan", image_of_record, seed=1),
    _patched("the stamp on old is a sequence number", reverse_ledger, "reverse_plan", stamped_with_sequence, seed=19),
    _patched("seen counts for all places of an item", Entry, "track", track_of_item, seed=5),
    _ledger_forgets("the ledger's keys are not looked at", _without_keys, seed=1),
    _patched("forward forgets the key that it makes live", forward_ledger, "forward_plan", keys_as_before, seed=1972),
    _patched("a move is two transactions", LedgerTransaction, "commit", commit_in_two, seed=5),
    _patched(
        "two live places that forward finds are not held", forward_ledger, "forward_plan", not_held_by_forward, seed=491
    ),
    _patched("two live places are not held", reverse_ledger, "reverse_plan", first_of_two, seed=1),
    _patched("v2 is written whatever is there", ledger_writes, "as_read", whatever_is_there, seed=15),
    _patched("the ledger is written whatever is there", Ledger, "put", unconditional_put, seed=8),
    _patched("a purge deletes whatever is there", ledger_transaction, "still_bare", purge_whatever, seed=3),
    _patched("a position is saved before the effect", Process, "take", position_first, seed=19),
    _patched("entered without drain", Entering, "drain", left_out, seed=44),
    _patched("entered without a horizon", Entering, "horizon", left_out, seed=77),
    _patched("entered without observing", Entering, "observe", left_out, seed=36),
    _patched("entered without noting", EnteringSink, "apply_key", notes_nothing, seed=317),
    _patched("entered before any worker acknowledged", Entering, "switch", entered_first, seed=2),
    _patched("purged at once before entered", World, "transaction", purging_at_once, seed=512),
)


def apply_mutation(mutation: Mutation, patch: pytest.MonkeyPatch) -> None:
    """Switch the rule off until the patch is undone."""
    for target, attribute, broken in mutation.patches:
        patch.setattr(target, attribute, broken)
