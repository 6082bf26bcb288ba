"""The ledger entry of one old item, which both directions share (DESIGN section 6).

A v2 *place* is a table and a key, as text, so that it can be a name. Reverse's writes of an old item are counted; the count
is the version in the stamp on the old item. Counts begin anew with each *epoch* of the ledger, above those of all earlier
ones: what carries a stamp of an earlier epoch can only be an image that the application has put back.
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
    """One v2 key. ``text`` names it in ledger entries; equal text, equal place."""

    table: str
    key: Item

    @property
    def text(self) -> str:
        """Table and key as JSON."""
        return orjson.dumps([self.table, self.key], option=orjson.OPT_SORT_KEYS).decode()


def place_from(text: str) -> Place:
    """The place that ``Place.text`` names."""
    return Place(*orjson.loads(text))


@dataclass(frozen=True, slots=True, config=ConfigDict(extra="forbid"))
class Track:
    """Of one v2 place: the version of the last record handled, and the highest stamp version seen there."""

    done: str = ""
    seen: str = ""


@dataclass(frozen=True, slots=True, config=ConfigDict(extra="forbid"))
class Entry:
    """What is remembered of one old item.

    key: its key. epoch: of the ledger when the entry was made. done, seen: of the old table's stream, the version of the last
    record handled, and the highest count seen in a stamp. put: the count of reverse's last write. tracks: by v2 place.
    keys: the v2 places that were live when last looked at. held_since: two of them are, and an operator is needed (epoch
    seconds). touched_at: when it was last written (epoch seconds; for re-verification and trimming, decides nothing else).
    """

    key: Item
    epoch: int
    put: str
    seen: str
    done: str = ""
    tracks: dict[str, Track] = field(default_factory=dict)
    keys: tuple[str, ...] = ()
    held_since: float | None = None
    touched_at: float = 0.0

    def track(self, place: Place) -> Track:
        """What is remembered of a v2 place."""
        return self.tracks.get(place.text, Track())

    def tracking(self, place: Place, track: Track) -> "Entry":
        """The entry with another track of a place."""
        return replace(self, tracks={**self.tracks, place.text: track})


def new_entry(key: Item, epoch: int) -> Entry:
    """An entry that has seen nothing: every count of an earlier epoch is below it."""
    return Entry(key, epoch, put=count_version(epoch, 0), seen=count_version(epoch, 0))


def count_version(epoch: int, count: int) -> str:
    """The version of reverse's write number ``count`` of an item: 4-digit epoch, a dot, the count padded to 20 digits."""
    return f"{epoch:0{GENERATION_DIGITS}d}.{count:0{COUNT_DIGITS}d}"


def next_count(version: str) -> str:
    """The count that follows."""
    epoch, _, count = version.partition(".")
    return count_version(int(epoch), int(count) + 1)


def is_count(version: str) -> bool:
    """Whether a stamp version is a count: reverse wrote it, not forward."""
    return len(version) == GENERATION_DIGITS + 1 + COUNT_DIGITS
