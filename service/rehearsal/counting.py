"""Writers that count: they change what they have read, if it still is so, on the same few items on both sides of `dual`.

Each side has a counter of its own and a turn of its own in every item, and both sides have one counter in common. What was
acknowledged to them is a history, so ``judgement`` can say whether their increments and compare-and-sets were kept.
"""

import asyncio
import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

from service.clock import Clock
from service.core.item.wire import AttributeValue, Item, key_text
from service.core.mapping.mapping import Mapping
from service.core.mapping.transform import old_key
from service.core.phases.acting import Side
from service.rehearsal.application import Missing
from service.rehearsal.copies import copy_of
from service.rehearsal.history import Operation, number

SIDES: tuple[Side, ...] = ("old", "v2")
WRITERS_A_SIDE = 2
COUNTED_ITEMS = 3

COUNTER: dict[Side, str] = {"old": "rehearsal_count_old", "v2": "rehearsal_count_v2"}
"""Counted by one side only."""

SHARED_COUNTER = "rehearsal_count"
"""Counted by both sides."""

TURN: dict[Side, str] = {"old": "rehearsal_turn_old", "v2": "rehearsal_turn_v2"}
"""Compared and set, by one side only; each time to a new value."""


class CountingApplication(Protocol):
    """One instance of an application that can also write on condition; items and keys as ``application.Application`` has them."""

    async def read(self, side: Side, key: Item) -> Item | None:
        """Read the item consistently."""

    async def create(self, side: Side, item: Item) -> None:
        """Write a new item. Raises ItemExists."""

    async def compare_and_set(
        self, side: Side, key: Item, name: str, was: AttributeValue | None, value: AttributeValue
    ) -> bool:
        """Set an attribute if it still is what it was (None: absent). Raises Missing."""

    async def duplicate(self, side: Side, key: Item, new: Item) -> None:
        """Copy the item, with whatever stamp it has, to the key and the required fields of ``new``. Raises Missing, ItemExists."""


@dataclass(slots=True)
class CountLog:
    """What was acknowledged to the counting writers."""

    operations: list[Operation] = field(default_factory=list)
    copies: list[str] = field(default_factory=list)
    """Old keys of the copies that they made."""


class CountingWriter:
    """One of them. It writes while it is allowed to."""

    def __init__(
        self, side: Side, seed: int, application: CountingApplication, keys: Sequence[Item], clock: Clock, log: CountLog
    ) -> None:
        self.side = side
        self._application = application
        self._keys = keys
        self._clock = clock
        self._log = log
        self._random = random.Random(f"{side} {seed}")
        self._name = f"{side} {seed}"
        self._writes = 0
        self._allowed = False
        self._writing = asyncio.Lock()

    async def allow(self, allowed: bool) -> None:
        """Let it write, or not. The write under way has ended when this returns."""
        async with self._writing:
            self._allowed = allowed

    async def run(self, stop: asyncio.Event, pause_seconds: float) -> None:
        """Write, pause, and write again until ``stop`` is set."""
        while not stop.is_set():
            async with self._writing:
                if self._allowed:
                    await self._write()
            await self._clock.sleep(pause_seconds)

    async def _write(self) -> None:
        self._writes += 1
        key = self._random.choice(self._keys)
        name = self._random.choice((COUNTER[self.side], COUNTER[self.side], SHARED_COUNTER, TURN[self.side]))
        item = await self._application.read(self.side, key)
        if item is None:  # not carried yet
            return
        was, begun = item.get(name), self._clock.monotonic()
        value = self._next(name, was)
        try:
            done = await self._application.compare_and_set(self.side, key, name, was, value)
        except Missing:
            return
        if done:  # a later write has read this one's value, so it has begun later
            self._log.operations.append(Operation(self.side, key_text(key), name, was, value, begun))

    def _next(self, name: str, was: AttributeValue | None) -> AttributeValue:
        if name == TURN[self.side]:
            return {"S": f"{self._name}-{self._writes}"}
        return {"N": str(number(was) + 1)}


class CountingWriters:
    """All of them, on items of their own that no other writer knows."""

    def __init__(
        self, application: CountingApplication, models: Sequence[Item], mapping: Mapping, clock: Clock
    ) -> None:
        self.log = CountLog()
        self._application = application
        self._mapping = mapping
        self._items = [copy_of(mapping, model, f"count-{n}") for n, model in enumerate(models[:COUNTED_ITEMS])]
        self._keys = [old_key(mapping, item) for item in self._items]
        self._writers = [
            CountingWriter(side, seed, application, self._keys, clock, self.log)
            for side in SIDES
            for seed in range(WRITERS_A_SIDE)
        ]

    async def create_items(self) -> None:
        """Write the items to the old table."""
        for item in self._items:
            await self._application.create("old", item)

    async def run(self, stop: asyncio.Event, pause_seconds: float) -> None:
        """Let all of them write, as far as they are allowed to, until ``stop`` is set."""
        await asyncio.gather(*(writer.run(stop, pause_seconds) for writer in self._writers))

    async def allow(self, *sides: Side) -> None:
        """Let those of these sides write, and no others."""
        for writer in self._writers:
            await writer.allow(writer.side in sides)

    async def copy(self, side: Side, name: str) -> None:
        """Copy an item on a side, with whatever stamp it has, as an application does that duplicates a record."""
        new = copy_of(self._mapping, self._items[0], f"{name}-{side}")
        await self._application.duplicate(side, self._keys[0], new)
        self.log.copies.append(key_text(old_key(self._mapping, new)))
