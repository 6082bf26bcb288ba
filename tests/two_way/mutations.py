"""Each rule of the ledger protocol (DESIGN sections 4 and 6) switched off: a random search must find the violation.

A mutation replaces real functions of the service, or a step of the first move into `dual`, or what a process of the tests does.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import pytest

from service.control.ledger import EntryReading, Ledger
from service.core.item.change import Change
from service.core.item.stamp import Stamp, decode_stamp, sound_stamp
from service.core.item.wire import Item
from service.core.item.write import Absent, AnyOf, Condition, Delete, Exists, Update, Write
from service.core.rules import authorship, forward_moves, ledger_writes, reverse_of_ours, reverse_units
from service.core.rules import forward as ledger_forward
from service.core.rules import reverse as ledger_reverse
from service.core.rules.forward_plan import ForwardPlan
from service.core.rules.ledger import Entry, ForwardHalf, Place, ReverseHalf, Track, count_version
from service.core.rules.reverse_plan import BothReadings, ReversePlan, V2Change
from service.core.rules.unit_verdicts import Judged
from service.sync.sinks import ledger_access
from service.sync.sinks import reverse as reverse_sink
from service.sync.sinks.before_dual import EnteringSink
from service.sync.sinks.ledger_access import LedgerAccess
from tests.convergence.trampoline import Turn
from tests.two_way.conductor import Entering
from tests.two_way.processes import Process
from tests.two_way.world import MemorySearch

Patch = tuple[Any, str, Any]
"""Module or class, the name in it, and its replacement."""

Search = Literal["interleavings", "histories"]
"""The random search that finds a mutation: ``test_random`` or ``test_histories``."""

HIGHEST = "~"
"""Above every count."""

REAL_READ = Ledger.read
REAL_UPDATE = Ledger.update
REAL_JUDGE = ledger_forward.judge_units
REAL_REVERSE_PLAN = ledger_reverse.reverse_plan
REAL_OF_OURS = ledger_reverse.of_ours
REAL_TWO_LIVE = ledger_forward.two_live
REAL_WRITE = LedgerAccess.write
REAL_SWITCH = Entering.switch


@dataclass(frozen=True, slots=True)
class Mutation:
    """A rule switched off: its name, how, and a seed at or after which the search finds it."""

    name: str
    patches: tuple[Patch, ...]
    seed: int
    search: Search = "interleavings"


def forgetting(forget: Callable[[Entry], Entry]) -> Patch:
    """Every reader of the ledger sees an entry without the facts that the rule needs."""

    async def read(self: Ledger, key: Item) -> EntryReading:
        record = await REAL_READ(self, key)
        return replace(record, entry=forget(record.entry))

    return Ledger, "read", read


def _without_done(entry: Entry) -> Entry:
    return replace(entry, forward=replace(entry.forward, done="", claim=None))


def _without_tracks_done(entry: Entry) -> Entry:
    tracks = {place: replace(track, done="") for place, track in entry.reverse.tracks.items()}
    return replace(entry, reverse=replace(entry.reverse, tracks=tracks, claims={}))


def _without_seen_on_old(entry: Entry) -> Entry:
    return replace(entry, forward=replace(entry.forward, seen=count_version(entry.epoch, 0)))


def _without_seen_on_v2(entry: Entry) -> Entry:
    tracks = {place: replace(track, seen="") for place, track in entry.reverse.tracks.items()}
    return replace(entry, reverse=replace(entry.reverse, tracks=tracks))


def _without_places(entry: Entry) -> Entry:
    halves = replace(entry.forward, places=()), replace(entry.reverse, places=())
    return replace(entry, forward=halves[0], reverse=halves[1])


def _without_refused(entry: Entry) -> Entry:
    claim = entry.forward.claim
    forgotten = replace(claim, refused=False) if claim is not None else None
    return replace(entry, forward=replace(entry.forward, refused="", claim=forgotten))


def all_carried(_mapping: Any, changes: Sequence[Any], *_: Any) -> Judged:
    """Forward carries every unit, whatever v2 has."""
    return Judged([*changes], [])


def all_or_none(*judged: Any) -> Judged:
    """Forward carries no unit of a change that loses one."""
    found = REAL_JUDGE(*judged)
    return found if not found.lost else Judged([], [*found.lost, *(change.unit for change in found.carried)])


def only_restores(mapping: Any, change: V2Change, half: ReverseHalf, readings: BothReadings) -> ReversePlan:
    """Of forward's records reverse brings back none but those that restore."""
    restores = change.stamp is not None and bool(change.stamp.restore)
    return REAL_OF_OURS(mapping, change, half, readings) if restores else ReversePlan("own")


def first_of_two(mapping: Any, change: V2Change, half: ReverseHalf, readings: BothReadings) -> ReversePlan:
    """Of two live places, reverse carries the first."""
    lives = [reading for reading in readings.known if reading.is_live(mapping.stamp)]
    return REAL_REVERSE_PLAN(mapping, change, half, readings._replace(known=lives[:1]))


def not_told(*found: Any) -> ForwardPlan:
    """Forward logs a change that meets two live places, and writes nothing that reverse could see."""
    return replace(REAL_TWO_LIVE(*found), writes=())


def track_of_item(half: ReverseHalf, place: Place) -> Track:
    """The highest stamp version seen counts for all places of an item together."""
    own = half.tracks.get(place.text, Track())
    return replace(own, seen=max([track.seen for track in half.tracks.values()], default=""))


def whatever_is_there(key: Item, *_read: Any) -> Condition:
    """A condition that always holds."""
    path = (next(iter(key)),)
    return AnyOf((Absent(path), Exists(path)))


def replaced_blindly(self: Ledger, read: EntryReading, half: ForwardHalf | ReverseHalf) -> tuple[Update, EntryReading]:
    """A half is replaced even if it has changed since it was read."""
    update, after = REAL_UPDATE(self, read, half)
    return replace(update, condition=None), after


async def deletes_at_once(self: LedgerAccess, write: Write) -> bool | None:
    """A delete is one step: no tombstone is written before."""
    item = getattr(write, "set", None) or getattr(write, "item", {})
    name = self.stores.mapping.stamp
    stamp = decode_stamp(item, name) if name in item else None
    if stamp is None or not stamp.tombstone or not isinstance(write, Update):
        return await REAL_WRITE(self, write)
    return await REAL_WRITE(self, Delete(write.table, write.key, write.condition))


def _always(answer: bool) -> Any:
    async def told(*_: Any) -> bool:
        return answer

    return told


def _claims(answer: bool) -> tuple[Patch, ...]:
    """Whether a claimed write was made is answered without looking."""
    names = ("forward_claim_made", "forward_write_made", "reverse_claim_made")
    return tuple((LedgerAccess, name, _always(answer)) for name in names)


async def nothing(*_: Any, **__: Any) -> None:
    """The step is not made."""


async def entered_first(entering: Entering) -> None:
    """The application may write v2 before any worker has changed its rule."""
    entering.world.entered = True
    for _ in range(60):
        await Turn()
    await REAL_SWITCH(entering)


async def position_first(self: Process, position: int, changes: list[Change]) -> None:
    """A position is saved before what lies before it has taken effect."""
    await self.save(position + len(changes))
    await self.apply(changes)


def any_stamp(item: Item | None, _key: Item, name: str) -> Stamp | None:
    """A stamp counts for an item also when it is a copy of another item's."""
    return sound_stamp(item, name)


def no_counters(*_: Any) -> frozenset[str]:
    """No unit is a counter."""
    return frozenset()


def _ledger_forgets(
    name: str, forget: Callable[[Entry], Entry], seed: int = 0, search: Search = "interleavings"
) -> Mutation:
    return Mutation(name, (forgetting(forget),), seed, search)


def _patched(
    name: str, target: Any, attribute: str, broken: Any, seed: int = 0, search: Search = "interleavings"
) -> Mutation:
    return Mutation(name, ((target, attribute, broken),), seed, search)


def _in_reverse(name: str, attribute: str, broken: Any, seed: int, search: Search = "interleavings") -> Mutation:
    """Wherever reverse's rule uses it."""
    modules = [one for one in (ledger_reverse, reverse_of_ours, reverse_units) if hasattr(one, attribute)]
    return Mutation(name, tuple((module, attribute, broken) for module in modules), seed, search)


MUTATIONS = (
    _ledger_forgets("forward applies a record again", _without_done, 29),
    _ledger_forgets("reverse applies a record again", _without_tracks_done, 15),
    _patched("a half of the ledger is written whatever is there", Ledger, "update", replaced_blindly, 32),
    _ledger_forgets("authorship on old without seen", _without_seen_on_old, 356),
    _ledger_forgets("authorship on v2 without seen", _without_seen_on_v2, 58),
    _patched("authorship on v2 without the base", authorship, "count_version", lambda *_: "", 6),
    _patched("a copied stamp counts", authorship, "own_stamp", any_stamp, 3, "histories"),
    _patched("seen counts for all places of an item", ReverseHalf, "track", track_of_item, 1),
    _patched("forward carries without comparing", ledger_forward, "judge_units", all_carried, 49),
    _patched("forward carries all units or none", ledger_forward, "judge_units", all_or_none, 2, "histories"),
    _in_reverse("reverse puts what v2 no longer has", "still_has", lambda *_: True, 738),
    _patched("nothing is brought back", ledger_reverse, "of_ours", only_restores, 32),
    Mutation(
        "everything is brought back",
        (
            (ReverseHalf, "put_of", lambda *_: HIGHEST),
            (reverse_sink, "is_passed", lambda *_: False),
        ),
        0,
        "histories",
    ),
    _patched("a refused delete restores nothing", reverse_of_ours, "_restored", lambda *_: ReversePlan("own"), 179),
    _ledger_forgets("a refused delete is forgotten", _without_refused, 615),
    _patched("a side is written whatever is there", ledger_writes, "as_read", whatever_is_there, 56),
    Mutation("a claim is taken for made", _claims(True), 0, "histories"),
    Mutation("a claim is taken for not made", _claims(False), 25, "histories"),
    _patched("the stream is not searched for a claim", MemorySearch, "has", _always(False), 548),
    _in_reverse("counters are put by value", "counters", no_counters, 3, "histories"),
    _patched("a delete is one step", LedgerAccess, "write", deletes_at_once),
    _patched("a purge deletes whatever is there", ledger_access, "still_bare", lambda *_: None, 24),
    _ledger_forgets("the ledger's places are not looked at", _without_places, 61),
    _patched("two live places are not held", reverse_sink, "reverse_plan", first_of_two, 3),
    _patched("reverse is not told of two live places", ledger_forward, "two_live", not_told, 100),
    _patched("covered changes are applied", ledger_forward, "covers", lambda *_: False, 242),
    _patched("a half-done guarded move stays so", forward_moves, "_is_older", lambda *_: False, 3240),
    _patched("a position is saved before the effect", Process, "take", position_first, 15),
    _patched("entered without drain", Entering, "drain", nothing, 921),
    _patched("entered without a horizon", Entering, "horizon", nothing, 42),
    _patched("entered without observing", Entering, "observe", nothing, 36),
    _patched("entered without noting", EnteringSink, "apply_key", nothing, 2325),
    _patched("entered before any worker acknowledged", Entering, "switch", entered_first, 2),
)


def apply_mutation(mutation: Mutation, patch: pytest.MonkeyPatch) -> None:
    """Switch the rule off until the patch is undone."""
    for target, attribute, broken in mutation.patches:
        patch.setattr(target, attribute, broken)
