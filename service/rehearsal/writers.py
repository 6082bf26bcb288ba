"""A live writer: one instance of the application that keeps changing items on one side, and what it may change of them.

It never asks what the phase is: it stays on a side until it is switched to the other.
"""

import asyncio
import random
from collections.abc import Awaitable, Sequence

from service.clock import Clock
from service.core.item.wire import Item, key_text
from service.core.mapping.convert import CONVERTERS
from service.core.mapping.dates import DATE_TYPES
from service.core.mapping.entity import Entity, FieldRule
from service.core.mapping.mapping import Mapping
from service.core.mapping.transform import entity_of, old_key
from service.core.phases.acting import Side
from service.rehearsal.application import Application, ItemExists, Missing
from service.rehearsal.copies import copy_of, is_copyable
from service.rehearsal.write_log import Attempt, Kind, WriteLog

KINDS: dict[Kind, int] = {"update": 16, "create": 2, "move": 3, "delete": 1}
"""The kinds of writes, each with its weight."""

RECREATED = 0.7
"""The share of creations that bring back an item that the writer has deleted, if there is one."""

FIELDS_AT_MOST = 2
"""Changed by one update."""

NOTE = "rehearsal_note"
"""An attribute that no mapping has a field for."""

MONTHS = ("2017-04", "2017-05", "2017-07")
"""Where a move puts an item. Few, so that an item also moves back to a v2 key that it had before."""


class Writer:
    """It reads an item and changes it, at random, but always in the same way for the same ``number``.

    items: those that it starts with; other writers may have the same.
    """

    def __init__(
        self,
        number: int,
        application: Application,
        items: Sequence[Item],
        mapping: Mapping,
        clock: Clock,
        log: WriteLog,
    ) -> None:
        self.number = number
        self.side: Side = "old"
        self._application = application
        self._mapping = mapping
        self._clock = clock
        self._log = log
        self._known = {key_text(old_key(mapping, item)): item for item in items}
        self._shared = frozenset(self._known)
        self._deleted: dict[str, Item] = {}
        self._random = random.Random(number)
        self._writes = 0
        self._writing = asyncio.Lock()

    async def switch(self, side: Side) -> None:
        """Use ``side`` from the next operation on. The operation under way has ended when this returns."""
        async with self._writing:
            self.side = side

    async def run(self, stop: asyncio.Event, pause_seconds: float) -> None:
        """Write, pause, and write again until ``stop`` is set."""
        while not stop.is_set():
            due, blocked = self._clock.monotonic(), self._writing.locked()
            async with self._writing:
                if blocked:
                    self._log.longest_pause = max(self._log.longest_pause, self._clock.monotonic() - due)
                await self._write()
            await self._clock.sleep(pause_seconds)

    async def _write(self) -> None:
        self._writes += 1
        kind = self._random.choices(list(KINDS), weights=list(KINDS.values()))[0]
        if kind == "create":
            await self._create()
        else:
            await self._change(kind)

    async def _create(self) -> None:
        """Bring back an item that this writer has deleted, or write a new one like one that it knows."""
        if self._deleted and self._random.random() < RECREATED:
            item = self._deleted.pop(self._random.choice(sorted(self._deleted)))
        else:
            model = self._known[self._random.choice(sorted(self._known))]
            if not is_copyable(self._mapping, model):
                return
            item = copy_of(self._mapping, model, f"{self.number}-{self._writes}")
        values = self._texts(item)
        item = {**item, **values}
        key = old_key(self._mapping, item)
        if await self._attempt("create", key, values, None, self._application.create(self.side, item)):
            self._known[key_text(key)] = item

    async def _change(self, kind: Kind) -> None:
        item = self._known[self._choose(kind)]
        dates = _key_dates(entity_of(self._mapping, item))
        if kind == "move" and not dates:
            kind = "update"
        key = old_key(self._mapping, item)
        before = await self._application.read(self.side, key)
        if before is None:
            return
        if kind == "delete":
            await self._delete(key, before)
            return
        values = self._dates(dates) if kind == "move" else self._texts(item)
        await self._attempt(kind, key, values, before, self._application.update(self.side, key, values))

    def _choose(self, kind: Kind) -> str:
        """The key of the item to write. A delete prefers an item of the writer's own: the shared ones would soon be gone."""
        own = sorted(self._known.keys() - self._shared)
        return self._random.choice(own if kind == "delete" and own else sorted(self._known))

    async def _delete(self, key: Item, before: Item) -> None:
        if len(self._known) == 1:
            return
        if await self._attempt("delete", key, None, before, self._application.delete(self.side, key)):
            self._known.pop(key_text(key))
            self._deleted[key_text(key)] = before

    def _texts(self, item: Item) -> Item:
        """New values for some attributes of ``item``; no other write makes the same."""
        names = _text_names(entity_of(self._mapping, item))
        chosen = self._random.sample(names, min(len(names), self._random.randint(1, FIELDS_AT_MOST)))
        return {name: {"S": f"{name} {self.number}-{self._writes}"} for name in sorted(chosen)}

    def _dates(self, rules: Sequence[FieldRule]) -> Item:
        """A new date for each field, as v2 holds it; no other write makes the same."""
        text = {"S": _instant(self._writes * 100 + self.number)}
        dates = {rule.names[0]: CONVERTERS[rule.type](text) for rule in rules}
        return {name: date for name, date in dates.items() if date is not None}

    async def _attempt(
        self, kind: Kind, key: Item, values: Item | None, before: Item | None, write: Awaitable[None]
    ) -> bool:
        """Make one write and log it. Returns whether it was acknowledged."""
        side, begun, acknowledged = self.side, self._clock.monotonic(), True
        self._log.in_flight += 1
        try:
            await write
        except (Missing, ItemExists):
            acknowledged = False
        finally:
            self._log.in_flight -= 1
        ended = self._clock.monotonic()
        self._log.attempts.append(
            Attempt(str(self.number), side, kind, key_text(key), values, before, begun, ended, acknowledged)
        )
        return acknowledged


def _text_names(entity: Entity) -> list[str]:
    """Old attributes that take any text: the fields of type string on which neither the v2 key nor the entity depends, and one
    without a field."""
    fixed = {rule.name for rule in entity.key_rules} | {entity.change_token}
    fields = [rule for rule in entity.rules if rule.type == "string" and rule.invert is None and rule.name not in fixed]
    names = [rule.names[0] for rule in fields if rule.names]
    return [*(name for name in names if name not in entity.when), NOTE]


def _key_dates(entity: Entity) -> list[FieldRule]:
    """The dates that the v2 key depends on, and the old key does not."""
    old_key = {placeholder.name for template in entity.old_key.values() for placeholder in template.placeholders}
    dates = [rule for rule in entity.key_rules if rule.type in DATE_TYPES and rule.invert is None]
    return [rule for rule in dates if rule.name not in old_key]


def _instant(number: int) -> str:
    """A point in time in one of ``MONTHS``, another one for each number."""
    month, rest = MONTHS[number % len(MONTHS)], number // len(MONTHS)
    return f"{month}-{rest // 86_400 % 28 + 1:02d}T{rest // 3600 % 24:02d}:{rest // 60 % 60:02d}:{rest % 60:02d}Z"
