"""A window of one segment: pages that are read and transformed, but not all written yet. Its size bounds the memory."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice
from random import Random
from typing import NamedTuple

from backfill.segments import Spent
from service.core.item.wire import Item
from service.core.mapping.mapping import Mapping
from service.core.rules.guarded import copied
from service.dynamodb.protocol import Page
from service.errors import Poison

FIRST_ITEMS, MOST_ITEMS = 100, 1_000
WINDOW_SECONDS = 5.0
"""How long the copy of a window should take, however slow the operator's limits make it: a killed run does this work again."""
WINDOW_UNITS = 512.0
"""Read units of the pages in a window: 2 MB, since a consistent read takes one unit for 4 KB. The last page (1 MB at most) may
exceed it."""
GROUP_ITEMS = 25
"""Statements in one BatchExecuteStatement
(https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_BatchExecuteStatement.html)."""


class Copy(NamedTuple):
    """An old item and the v2 item that it is transformed into."""

    old: Item
    item: Item
    most_bytes: int
    """At least the size of ``item`` in bytes."""


@dataclass(frozen=True, slots=True)
class Group:
    """Copies into one v2 table that are sent in one request."""

    table: str
    copies: list[Copy]


@dataclass(frozen=True, slots=True)
class Rejection:
    """An old item that cannot be transformed or written, and why."""

    old: Item
    poison: Poison


@dataclass(slots=True)
class Window:
    """Consecutive pages of one segment."""

    most: int
    """The number of items at which the window is full."""
    copies: dict[str, list[Copy]] = field(default_factory=dict)
    """By v2 table."""
    rejections: list[Rejection] = field(default_factory=list)
    left_out: int = 0
    """Old items that stay behind."""
    items: int = 0
    """Old items read so far."""
    read_units: float = 0.0
    write_units: float = 0.0
    """Used by the writes so far, indexes included."""
    last_key: Item | None = None
    """Where the next page starts; None: the segment's end."""

    def add(self, mapping: Mapping, generation: int, page: Page) -> None:
        """Transform the items of the next page, and add them."""
        for old in page.items:
            if mapping.leaves_out(old):
                self.left_out += 1
                continue
            try:
                copy = copied(mapping, old, generation)
            except Poison as poison:
                self.rejections.append(Rejection(old, poison))
            else:
                self.copies.setdefault(copy.table, []).append(Copy(old, copy.item, copy.most_bytes))
        self.items += len(page.items)
        self.read_units += page.consumed_units
        self.last_key = page.last_key

    @property
    def complete(self) -> bool:
        """Whether the window is to be written: it has reached a bound, or the segment's end."""
        return self.last_key is None or self.items >= self.most or self.read_units >= WINDOW_UNITS

    @property
    def spent(self) -> Spent:
        """The capacity units used so far."""
        return Spent(self.write_units, self.read_units)

    def groups(self, random: Random) -> Iterator[Group]:
        """The copies in shuffled order, so that neighbours in v2 do not load the same partition at the same time."""
        for table, copies in self.copies.items():
            random.shuffle(copies)
            remaining = iter(copies)
            while group := list(islice(remaining, GROUP_ITEMS)):
                yield Group(table, group)


def next_size(items: int, seconds: float) -> int:
    """How many items the next window should have, after a window of ``items`` took ``seconds``."""
    items_in_time = items * WINDOW_SECONDS / max(seconds, 0.001)
    return max(GROUP_ITEMS, min(MOST_ITEMS, int(items_in_time)))
