"""A live writer: one instance of the application, on the side that it was last turned to. It never asks what the phase is."""

import asyncio
import random
from collections.abc import Awaitable, Sequence

from service.clock import Clock
from service.core.item.wire import Item
from service.core.mapping.mapping import Mapping
from service.core.mapping.transform import entity_of, old_key
from service.core.phases.acting import Side
from service.rehearsal.application import Application, ItemExists, Missing
from service.rehearsal.changes import another, instant, moving, texts
from service.rehearsal.keys import key_text
from service.rehearsal.write_log import Attempt, Kind, WriteLog

KINDS: dict[Kind, int] = {"update": 16, "create": 2, "move": 3, "delete": 1}
RECREATED = 0.7
"""The share of creations that bring back what the writer has deleted, where there is such."""

FIELDS_AT_MOST = 2


class Writer:
    """It reads an item and changes it, at random but the same for the same ``number``.

    items: those that it begins with; other writers may have the same.
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

    async def turn(self, side: Side) -> None:
        """Use ``side`` from the next operation on; the one under way has ended when this returns."""
        async with self._writing:
            self.side = side

    async def run(self, stop: asyncio.Event, pause_seconds: float) -> None:
        """Write, pause, and write again until ``stop`` is set."""
        while not stop.is_set():
            wanted, kept = self._clock.monotonic(), self._writing.locked()
            async with self._writing:
                if kept:
                    waited = self._clock.monotonic() - wanted
                    self._log.longest_pause = max(self._log.longest_pause, waited)
                await self._write()
            await self._clock.sleep(pause_seconds)

    async def _write(self) -> None:
        self._writes += 1
        kind = self._random.choices(list(KINDS), weights=list(KINDS.values()))[0]
        if kind == "create":
            await self._create()
            return
        key_of = self._chosen(kind)
        item = self._known[key_of]
        dates = moving(entity_of(self._mapping, item))
        if kind == "move" and not dates:
            kind = "update"
        key = old_key(self._mapping, item)
        before = await self._application.read(self.side, key)
        if before is None:
            return
        if kind == "delete":
            await self._delete(key_of, key, before)
            return
        values = (
            {name: {"S": instant(self._number_of_write)} for name in dates} if kind == "move" else self._values(item)
        )
        await self._attempt(kind, key, values, before, self._application.update(self.side, key, values))

    def _chosen(self, kind: Kind) -> str:
        """An item to write. Those that all writers share would soon be gone if each deleted them: it prefers its own."""
        own = sorted(self._known.keys() - self._shared)
        return self._random.choice(own if kind == "delete" and own else sorted(self._known))

    async def _create(self) -> None:
        """Anew what this writer has deleted, or something like what it knows."""
        if self._deleted and self._random.random() < RECREATED:
            key_of = self._random.choice(sorted(self._deleted))
            item = self._deleted.pop(key_of)
        else:
            like = self._known[self._random.choice(sorted(self._known))]
            item = another(self._mapping, like, f"{self.number}-{self._writes}")
        values = self._values(item)
        item = {**item, **values}
        key = old_key(self._mapping, item)
        if await self._attempt("create", key, values, None, self._application.create(self.side, item)):
            self._known[key_text(key)] = item

    async def _delete(self, key_of: str, key: Item, before: Item) -> None:
        if len(self._known) > 1 and await self._attempt(
            "delete", key, None, before, self._application.delete(self.side, key)
        ):
            self._known.pop(key_of)
            self._deleted[key_of] = before

    def _values(self, item: Item) -> Item:
        names = texts(entity_of(self._mapping, item))
        chosen = self._random.sample(names, min(len(names), self._random.randint(1, FIELDS_AT_MOST)))
        return {name: {"S": f"{name} {self.number}-{self._writes}"} for name in sorted(chosen)}

    @property
    def _number_of_write(self) -> int:
        return self._writes * 100 + self.number

    async def _attempt(
        self, kind: Kind, key: Item, values: Item | None, before: Item | None, write: Awaitable[None]
    ) -> bool:
        """Make one write and log it; whether it was acknowledged."""
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
