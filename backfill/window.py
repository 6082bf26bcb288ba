"""A window of one segment: its pages that are read and transformed, and not yet all written. This is what bounds the memory."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice
from random import Random

from backfill.segments import Spent
from service.core.item.wire import Item
from service.core.mapping.mapping import Mapping
from service.core.rules.guarded import copy_write
from service.dynamodb.protocol import Page
from service.errors import Poison

FIRST_ITEMS, MOST_ITEMS = 100, 1_000
WINDOW_SECONDS = 5.0
"""What a window should take: the work that a killed run does again, however slow an operator's limit makes it."""
WINDOW_UNITS = 512.0
"""Read units of the pages in a window: 2 MB, since a consistent read takes one for 4 KB. One page (1 MB at most) may go beyond."""
GROUP_ITEMS = 25
"""Statements in one BatchExecuteStatement
(https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_BatchExecuteStatement.html)."""


@dataclass(frozen=True, slots=True)
class Copy:
    """An old item and the v2 item that it becomes."""

    old: Item
    item: Item


@dataclass(frozen=True, slots=True)
class Group:
    """Copies into one table that travel in one request."""

    table: str
    copies: list[Copy]


@dataclass(frozen=True, slots=True)
class Rejection:
    """An old item that has no v2 item, and why."""

    old: Item
    poison: Poison


@dataclass(slots=True)
class Window:
    """Consecutive pages of one segment. most: items at which it is full. last_key: where the next page starts; None: the
    segment's end. units: read so far; write_units: taken by what was written of it so far, indexes included."""

    most: int

    copies: dict[str, list[Copy]] = field(default_factory=dict)
    rejections: list[Rejection] = field(default_factory=list)
    items: int = 0
    units: float = 0.0
    write_units: float = 0.0
    last_key: Item | None = None

    def add(self, mapping: Mapping, generation: int, page: Page) -> None:
        """Transform the items of the next page."""
        for old in page.items:
            try:
                put = copy_write(mapping, old, generation)
            except Poison as poison:
                self.rejections.append(Rejection(old, poison))
            else:
                self.copies.setdefault(put.table, []).append(Copy(old, put.item))
        self.items += len(page.items)
        self.units += page.consumed_units
        self.last_key = page.last_key

    @property
    def complete(self) -> bool:
        """Whether it is time to write: at a bound, or at the segment's end."""
        return self.last_key is None or self.items >= self.most or self.units >= WINDOW_UNITS

    @property
    def spent(self) -> Spent:
        """What it has taken so far."""
        return Spent(self.write_units, self.units)

    def groups(self, random: Random) -> Iterator[Group]:
        """The copies in shuffled order, so that neighbours in v2 do not load one partition at the same time."""
        for table, copies in self.copies.items():
            random.shuffle(copies)
            left = iter(copies)
            while group := list(islice(left, GROUP_ITEMS)):
                yield Group(table, group)


def next_size(items: int, seconds: float) -> int:
    """How many items the next window should have, after one of ``items`` took ``seconds``."""
    within = items * WINDOW_SECONDS / max(seconds, 0.001)
    return max(GROUP_ITEMS, min(MOST_ITEMS, int(within)))
