"""A change of the old table as forward judges it, what was read on v2, and the plan that is made of the two."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from service.core.item.wire import Item
from service.core.item.write import Put, Update
from service.core.mapping.mapping import Mapping
from service.core.rules.ledger import Move, Place
from service.core.rules.ledger_writes import PlaceReading
from service.core.rules.units import Form, old_units, remembered, written_units
from service.core.rules.waiting import WHOLE
from service.errors import Poison

Outcome = Literal["applied", "duplicate", "conflict", "own", "waiting"]

Undecided = Literal["unread", "apart"]
"""unread: a place must be read too. apart: the changes must be decided one by one."""

Reason = Literal["overlap", "deleted", "exists", "delete_refused", "two_live_keys"]


@dataclass(frozen=True, slots=True)
class ConflictCause:
    """Why units of a change go to the conflict log."""

    reason: Reason
    units: tuple[str, ...]
    """The units that are lost, as they are remembered."""


@dataclass(frozen=True, slots=True)
class OldChange:
    """One change of the old table, or several of one key as one, as it is judged."""

    key: Item
    version: str
    """Of the last of the changes."""
    old: Item | None
    """The item before, as the application saw it; None: there was none."""
    new: Item | None
    """The item afterwards, as the application saw it; None: there is none."""
    bases: Form = field(default_factory=dict)
    """By unit, the value from which a unit is judged that waits in quarantine: that before the first change that waits."""
    between: tuple[Item, ...] = ()
    """Of several changes, the items after each but the last, as the stream has them."""


class V2State(NamedTuple):
    """What was read on v2."""

    known: Sequence[PlaceReading]
    """Every known place."""
    seen: str
    """The base of forward's stamps: the highest count seen in a stamp on the old item."""
    refused: Item | None = None
    """The item whose delete v2 refused, if that was the change right before this one."""
    begun: Move | None = None
    """A move that this change has begun: its put at the new place was made, and perhaps not the tombstone."""


@dataclass(frozen=True, slots=True)
class ForwardPlan:
    """The outcome of one change, and what is written for it."""

    outcome: Outcome | Undecided
    writes: tuple[Put | Update, ...] = ()
    """On v2, in this order, each on the condition that the place is as it was read."""
    places: tuple[str, ...] = ()
    """The texts of the places that are live afterwards."""
    conflict: ConflictCause | None = None
    refused: bool = False
    """The change is a delete that v2 refuses."""
    tombstoned: tuple[Place, ...] = ()
    """The places that get a tombstone."""
    waiting: tuple[str, ...] = ()
    """The units that cannot be written, as they are remembered: they wait in quarantine."""
    poison: Poison | None = None
    """Why they cannot be written."""
    made: bool = False
    """The change has been written before, and nothing of it is left to do."""
    keeps_log: bool = False
    """The plan goes on with a claim: what that has put into the conflict log stays."""
    move: Move | None = None
    """With two writes: the item moves."""
    missing: Place | None = None
    """With outcome ``unread``: a place that must be read too before the change can be decided."""


def reading_at(v2: V2State, place: Place) -> PlaceReading | None:
    return next((reading for reading in v2.known if reading.place.text == place.text), None)


def without_write(live: Sequence[PlaceReading], outcome: Outcome, conflict: ConflictCause | None) -> ForwardPlan:
    return ForwardPlan(outcome, places=tuple(reading.place.text for reading in live), conflict=conflict)


def change_units(mapping: Mapping, change: OldChange) -> tuple[str, ...]:
    """The units that the application has written, those included that wait."""
    before = old_units(mapping, change.old) | change.bases
    units = written_units(before, old_units(mapping, change.new))
    return remembered(unit.unit for unit in units)


def waiting_units(mapping: Mapping, change: OldChange) -> tuple[str, ...]:
    """What waits when nothing of a change can be written now: its units, as they are remembered; of a create or a delete the whole
    item."""
    return (WHOLE,) if change.old is None or change.new is None else change_units(mapping, change)
