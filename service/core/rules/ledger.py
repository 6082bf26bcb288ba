"""The ledger entry of one old item, which both lanes share (DESIGN section 6).

A *place* is a v2 table and a key. Its text names it in a ledger entry. Reverse's writes of an old item are counted, and the
count is the version in the stamp on the old item. Each *epoch* of the ledger counts from the start again, above all counts of
earlier epochs; so only an image that the application has put back can carry a stamp of an earlier epoch.
"""

from dataclasses import field, replace
from typing import NamedTuple

import orjson
from pydantic import ConfigDict
from pydantic.dataclasses import dataclass

from service.core.item.stamp import GENERATION_DIGITS
from service.core.item.wire import Item

COUNT_DIGITS = 20


class Place(NamedTuple):
    """One v2 key."""

    table: str
    key: Item

    @property
    def text(self) -> str:
        """Table and key as JSON: the name of the place in ledger entries. Equal text means equal place."""
        return orjson.dumps([self.table, self.key], option=orjson.OPT_SORT_KEYS).decode()


def place_from(text: str) -> Place:
    """The place that ``Place.text`` names."""
    return Place(*orjson.loads(text))


@dataclass(frozen=True, slots=True, config=ConfigDict(extra="forbid"))
class Track:
    """The ledger's record of one v2 place."""

    done: str = ""
    """The version of the last stream record of the place that is done: written for, or recorded without a write."""
    seen: str = ""
    """The highest stamp version seen there."""


@dataclass(frozen=True, slots=True, config=ConfigDict(extra="forbid"))
class Entry:
    """The ledger's record of one old item."""

    key: Item
    """The old item's key."""
    epoch: int
    """The ledger's epoch when the entry was made."""
    put: str
    """The count of reverse's last write of the old item."""
    seen: str
    """The highest count seen in a stamp on the old item."""
    done: str = ""
    """The version of the last change of the old table that is done."""
    tracks: dict[str, Track] = field(default_factory=dict)
    """By the text of the v2 place."""
    keys: tuple[str, ...] = ()
    """The texts of the v2 places that were live at the last reading."""
    held_since: float | None = None
    """Epoch seconds since which two places are live and an operator must decide; None: not held."""
    touched_at: float = 0.0
    """Epoch seconds of the last write of the entry; for verification and trimming, decides nothing else."""

    def track(self, place: Place) -> Track:
        """The record of a v2 place; an empty one for an unknown place."""
        return self.tracks.get(place.text, Track())

    def tracking(self, place: Place, track: Track) -> "Entry":
        """The entry with ``track`` as the record of ``place``."""
        return replace(self, tracks={**self.tracks, place.text: track})

    def held(self, now: float) -> "Entry":
        """The entry, held since ``now`` (epoch seconds), or since the earlier time when it is held already."""
        return replace(self, held_since=now if self.held_since is None else self.held_since)


def new_entry(key: Item, epoch: int) -> Entry:
    """An entry that has seen nothing. It starts above every count of an earlier epoch."""
    return Entry(key, epoch, put=count_version(epoch, 0), seen=count_version(epoch, 0))


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
