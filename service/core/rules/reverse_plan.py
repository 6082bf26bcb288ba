"""What reverse decides about, and what it decides: a record of a v2 table, what was read for it, and the plan.

``reverse`` makes the plan.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

from service.core.item.stamp import Stamp
from service.core.item.wire import Item
from service.core.mapping.mapping import Mapping
from service.core.mapping.transform import v2_place
from service.core.rules.images import V2Image, place_of_old
from service.core.rules.ledger import Entry, Place
from service.core.rules.ledger_writes import PlaceReading
from service.errors import Poison

Outcome = Literal["applied", "carried_back", "own", "duplicate", "held", "waiting"]


@dataclass(frozen=True, slots=True)
class V2Change:
    """One record of a v2 table, or several of one place as one, as it is judged."""

    place: Place
    version: str
    """Of the last of the records."""
    old: V2Image | None
    """The item before; None: there was none, or a bare tombstone."""
    new: V2Image | None
    """The item afterwards; None as for ``old``."""
    stamp: Stamp | None
    """The stamp of the new image, if tablesplit made the record; None: the application made it."""
    waiting: frozenset[str] | None = frozenset()
    """The units of earlier records of the place that wait in quarantine; None: the whole item."""
    since: V2Image | None = None
    """If the whole item waits: the item before the first record that waits; None: there was none."""
    steps: tuple[tuple[V2Image | None, V2Image | None], ...] = ()
    """Of several records, each one's item before and after. A unit that a record changed is judged also if a later one changed
    it back: an earlier record of it may have been left to these."""
    removed: bool = False
    """Of a record of tablesplit: whether forward has removed the item from v2 by now, for a later change of the old side; also
    while it is about to put a new one there."""

    @property
    def kind(self) -> Literal["create", "update", "delete"]:
        """What the record did with the item."""
        if self.new is None:
            return "delete"
        return "create" if self.old is None else "update"


class BothReadings(NamedTuple):
    """What was read for a record: first the known v2 places, then the old item."""

    known: Sequence[PlaceReading]
    old: Item | None


@dataclass(frozen=True, slots=True)
class ReversePlan:
    """The outcome of one record of a v2 table, and what is written for it."""

    outcome: Outcome
    content: Item | None = None
    """The old item to write, without stamp. Empty: a tombstone. None: nothing is written."""
    units: tuple[str, ...] | None = ()
    """The units that are written by value, as they are remembered; None: the whole item."""
    added: tuple[str, ...] = ()
    """The counters that are written by a difference."""
    counted: str = ""
    """The ``place_name`` of the place whose counters old gets by value; empty: none."""
    released: bool = False
    """The write ends the time for which the item was held."""
    places: tuple[str, ...] = ()
    """The texts of the places that are live."""
    waiting: tuple[str, ...] = ()
    """The units that cannot be written, as they are remembered: they wait in quarantine."""
    poison: Poison | None = None
    """Why they cannot be written."""


def reverse_places(
    mapping: Mapping, place: Place, entry: Entry, old_now: Item | None, near: Sequence[Place] = ()
) -> list[Place]:
    """The v2 places to read for a record at ``place``: this place, those that the ledger knows to be live, that of the old item
    ``old_now`` as it is now, if it can be mapped, and those at which records that are read together have the item (``near``)."""
    places = {place.text: place} | {other.text: other for other in (*entry.places, *near)}
    of_old = place_of_old(mapping, old_now)
    return list({**places, of_old.text: of_old}.values() if of_old is not None else places.values())


def require_placed(mapping: Mapping, place: Place, old: Item) -> None:
    """Raises Poison when the v2 item at ``place``, whose old form is ``old``, cannot be carried: its fields lead to another key
    than it has, or it has an attribute with the stamp's name."""
    if mapping.stamp in old:
        raise _misplaced(place, f"its own attribute {mapping.stamp!r} has the stamp's name")
    if v2_place(mapping, old) != (place.table, place.key):
        raise _misplaced(place, "its fields lead to another key")


def _misplaced(place: Place, reason: str) -> Poison:
    return Poison(
        f"v2 item {place.key} of {place.table}: {reason}",
        reason="v2_key_mismatch",
        remedy="correct the item on v2 (an item moves by a put at its new key and a delete at the old one): "
        "then it leaves quarantine by itself",
    )
