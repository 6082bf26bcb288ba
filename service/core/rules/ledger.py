"""The ledger entry of one old item: two halves, one for each direction (DESIGN section 6).

Each half is written only by its own direction. A *place* is a v2 table and a key; its text names it in the ledger. The writes
of an old item by reverse are counted, and the count is the version in the stamp on the old item. Each *epoch* of the ledger
counts from the start again, above all counts of earlier epochs; so only an image that the application has put back can carry a
stamp of an earlier epoch.

A direction writes a *claim* into its half before it writes the other table. The claim stays open until the next write of the
half: a later change of the item shows that the claimed write was made, because a position is saved only after the effect.
"""

from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import ClassVar, Literal, NamedTuple

import orjson

from service.core.item.stamp import COUNT_DIGITS, GENERATION_DIGITS, REPEAT_DIGITS, Stamp, key_hash
from service.core.item.wire import Item

STRICT: dict[str, Literal["forbid"]] = {"extra": "forbid"}
"""For pydantic, which reads the halves: what a later version has added to one is not passed over."""

EVERY_COUNT = "9999." + "9" * COUNT_DIGITS
"""The base of a record that reverse gives back whatever it has put since."""


class _TableKey(NamedTuple):
    table: str
    key: Item


class Place(_TableKey):
    """One v2 key."""

    @cached_property
    def text(self) -> str:
        """Table and key as JSON: the name of the place in ledger records. Equal text means equal place."""
        return orjson.dumps([self.table, self.key], option=orjson.OPT_SORT_KEYS).decode()


def place_name(text: str) -> str:
    """The short name of the place with this text, in stamps on old items."""
    return key_hash({"place": {"S": text}})


def place_from(text: str) -> Place:
    """The place that ``Place.text`` names."""
    return Place(*orjson.loads(text))


@dataclass(frozen=True, slots=True)
class Move:
    """A move of the item to another v2 place: a put at the new place, then a tombstone at the previous one."""

    __pydantic_config__: ClassVar = STRICT

    goal: str
    """The text of the new place."""
    source: str
    """The text of the previous place."""
    goal_hash: str
    """``content_hash`` of the item that is put at the new place."""
    source_hash: str
    """``content_hash`` of the item at the previous place, as it was read."""
    source_units: dict[str, str]
    """``units.hashes`` of the item at the previous place, as it was read."""
    units: tuple[str, ...]
    """The units that the change carries, as they are remembered."""
    version: str
    """The highest stamp version that the move's writes have had: each further write has one above it, also where the
    application has dropped the stamp."""


@dataclass(frozen=True, slots=True)
class ForwardClaim:
    """A write on v2 that forward is about to make, or has made."""

    __pydantic_config__: ClassVar = STRICT

    version: str
    """Of the change of the old table."""
    seen: str
    """``ForwardHalf.seen`` once the claim is folded."""
    worker: str
    """The worker that made the claim."""
    writes: tuple[str, ...]
    """The texts of the places that are written, in this order."""
    places: tuple[str, ...]
    """``ForwardHalf.places`` once the claim is folded."""
    lost: tuple[str, ...] = ()
    """The units that are in the conflict log under this version."""
    refused: bool = False
    """The change is a delete that v2 refuses."""
    healed: tuple[str, ...] = ()
    """The units that leave quarantine with this write."""
    waiting: tuple[str, ...] = ()
    """If the whole item leaves quarantine: the units of it that still wait."""
    move: Move | None = None
    """With writes at two places: the move."""
    begun: Move | None = None
    """What the move had put at the new place before this claim."""


@dataclass(frozen=True, slots=True)
class ForwardHalf:
    """What forward remembers of one old item."""

    __pydantic_config__: ClassVar = STRICT

    seen: str
    """The highest count seen in a stamp on the old item."""
    done: str = ""
    """The version of the last change of the old table that is done."""
    claim: ForwardClaim | None = None
    places: tuple[str, ...] = ()
    """The texts of the v2 places that forward left live."""
    refused: str = ""
    """The version of the last change, if it was a delete that v2 refused; the conflict log has its image."""
    pending: tuple[str, ...] = ()
    """The units that were lost against a v2 without the item: if reverse puts it on old again, old must get v2's back."""
    passed: dict[str, str] = field(default_factory=dict)
    """By ``Stamp.place``, the highest count seen in a stamp on the old item."""

    def passing(self, stamp: Stamp | None) -> "ForwardHalf":
        """The half once a write of reverse's with this stamp has been read."""
        if stamp is None or stamp.place is None:
            return self
        return replace(self, passed={**self.passed, stamp.place: max(stamp.version, self.passed.get(stamp.place, ""))})

    @property
    def leaves_live(self) -> bool:
        """Whether forward leaves the item at a v2 place: while it is about to make a write, both before that and after it."""
        return bool(self.places and self.folded().places)

    def folded(self) -> "ForwardHalf":
        """The half once its claim is known to be done."""
        claim = self.claim
        if claim is None:
            return self
        refused = claim.version if claim.refused else ""
        return replace(self, done=claim.version, seen=claim.seen, places=claim.places, refused=refused, claim=None)


@dataclass(frozen=True, slots=True)
class Track:
    """Reverse's position at one v2 place."""

    __pydantic_config__: ClassVar = STRICT

    done: str = ""
    """The version of the last stream record of the place that is done."""
    seen: str = ""
    """The highest stamp version seen there."""


@dataclass(frozen=True, slots=True)
class ReverseClaim:
    """A write on the old table that reverse is about to make, or has made, for a record of one place."""

    __pydantic_config__: ClassVar = STRICT

    version: str
    """Of the record of the place's stream."""
    seen: str
    """``Track.seen`` once the claim is folded."""
    worker: str
    """The worker that made the claim."""
    count: str
    """The version in the stamp of the write."""
    units: tuple[str, ...] | None
    """The units that are written by value; None: the whole item."""
    added: tuple[str, ...] = ()
    """The counters that are written by a difference."""
    released: bool = False
    """The write ends the time for which the item was held."""
    healed: tuple[str, ...] = ()
    """The units that leave quarantine with this write."""
    counted: str = ""
    """The ``place_name`` of the place whose counters old gets by value; empty: none."""


@dataclass(frozen=True, slots=True)
class ReverseHalf:
    """What reverse remembers of one old item."""

    __pydantic_config__: ClassVar = STRICT

    count: str
    """The highest count that a claim was given."""
    whole: str = ""
    """The count of the last write of the whole old item."""
    puts: dict[str, str] = field(default_factory=dict)
    """By unit, the count of the last write of that unit alone, by value."""
    last: str = ""
    """The count of the last write of any kind, the differences of counters included."""
    tracks: dict[str, Track] = field(default_factory=dict)
    """By the text of the v2 place."""
    claims: dict[str, ReverseClaim] = field(default_factory=dict)
    """By the text of the v2 place."""
    places: tuple[str, ...] = ()
    """The texts of the v2 places that were live at the last reading."""
    held_since: float | None = None
    """Epoch seconds since which two places are live and an operator must decide; None: not held."""
    counted: str = ""
    """The ``place_name`` of the place whose counters old got by value last. Never forgotten: another place's record may be late."""

    def track(self, place: Place) -> Track:
        """The position at a v2 place; an empty one for an unknown place."""
        return self.tracks.get(place.text, Track())

    def tracking(self, place: Place, track: Track) -> "ReverseHalf":
        """The half with ``track`` as the position at ``place``."""
        return replace(self, tracks={**self.tracks, place.text: track})

    def put_of(self, unit: str) -> str:
        """The count of the last write of a unit by value, alone or with the whole item."""
        return max(self.whole, self.puts.get(unit, ""))

    def folded(self, place: Place) -> "ReverseHalf":
        """The half once the claim of ``place`` is known to be done."""
        claim = self.claims.get(place.text)
        if claim is None:
            return self
        left = {text: other for text, other in self.claims.items() if text != place.text}
        done = replace(self, claims=left).tracking(place, Track(claim.version, claim.seen))
        return done.written(claim)

    def written(self, claim: ReverseClaim) -> "ReverseHalf":
        """The half with a claimed write."""
        count = claim.count
        half = replace(self, last=max(self.last, count), counted=claim.counted or self.counted)
        if claim.units is None:
            return replace(half, whole=max(self.whole, count))
        puts = {unit: max(count, self.puts.get(unit, "")) for unit in claim.units}
        return replace(half, puts={**self.puts, **puts})

    def forgetting(self, base: str) -> "ReverseHalf":
        """The half without the writes of single units that forward had seen at ``base``: bases only grow, in the order of forward's
        writes. Of an item with several places the records are read in any order, so nothing is forgotten."""
        if len(self.tracks) > 1:
            return self
        return replace(self, puts={unit: count for unit, count in self.puts.items() if count > base})

    def seen_in_flight(self, place: Place) -> str:
        """The highest stamp version seen at a place, an open claim included."""
        claim = self.claims.get(place.text)
        return max(self.track(place).seen, claim.seen if claim is not None else "")

    def held(self, now: float) -> "ReverseHalf":
        """The half, held since ``now`` (epoch seconds), or since the earlier time when it is held already."""
        return replace(self, held_since=now if self.held_since is None else self.held_since)


@dataclass(frozen=True, slots=True)
class Entry:
    """The ledger's entry of one old item."""

    __pydantic_config__: ClassVar = STRICT

    key: Item
    """The old item's key."""
    epoch: int
    """The ledger's epoch when the entry was made."""
    forward: ForwardHalf
    reverse: ReverseHalf
    touched_at: float = 0.0
    """Epoch seconds of the last write of the entry; for verification and trimming, decides nothing else."""

    @property
    def places(self) -> list[Place]:
        """The v2 places that either direction knows to be live."""
        claim = self.forward.claim
        claimed = (*claim.writes, *claim.places) if claim is not None else ()
        return [place_from(text) for text in dict.fromkeys((*self.forward.places, *self.reverse.places, *claimed))]

    @property
    def open_claims(self) -> bool:
        """Whether a direction has claimed a write that is not folded yet."""
        return self.forward.claim is not None or bool(self.reverse.claims)


def new_entry(key: Item, epoch: int) -> Entry:
    """An entry that has seen and written nothing. It starts above every count of an earlier epoch."""
    start = count_version(epoch, 0)
    return Entry(key, epoch, ForwardHalf(seen=start), ReverseHalf(count=start))


def count_version(epoch: int, count: int) -> str:
    """The version of reverse's write number ``count`` of an item: 4-digit epoch, a dot, the count padded to 20 digits."""
    return f"{epoch:0{GENERATION_DIGITS}d}.{count:0{COUNT_DIGITS}d}"


def next_count(version: str) -> str:
    """The count after ``version``, in the same epoch."""
    epoch, _, count = version.partition(".")
    return count_version(int(epoch), int(count) + 1)


def is_count(version: str) -> bool:
    """Whether a stamp version is a count: written by reverse, not by forward."""
    return len(version) == GENERATION_DIGITS + 1 + COUNT_DIGITS


def next_version(*versions: str) -> str:
    """A stamp version above ``versions`` and below that of every later change of the old table: the highest, with a number."""
    highest = max(versions)
    parts = highest.split(".")
    number = int(parts[2]) if len(parts) > 2 else 0
    return ".".join([*parts[:2], f"{number + 1:0{REPEAT_DIGITS}d}"])


def is_write_of(stamp: str, claim: str) -> bool:
    """Whether a stamp version is that of a write of a claim at ``claim``: the version itself, or a repetition of it."""
    return stamp >= claim and stamp.split(".")[:2] == claim.split(".")[:2]


def is_repeat(version: str) -> bool:
    """Whether a version is one of ``next_version``."""
    return version.count(".") == 2
