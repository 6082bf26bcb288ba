"""The application of a soak: writers on both sides, and one old item that now and then cannot be carried.

Both sides update and count the same items. What a writer creates, moves to another v2 key or deletes is an item that no other one
knows: two sides that move or delete one item at the same time meet the rare cases of docs/limits.md, and a soak could not tell them
from a loss.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager

from bench.soak.site import OPPORTUNITIES
from service.app import App
from service.core.item.wire import AttributeValue, Item, key_text
from service.core.item.write import Put, Update
from service.core.mapping.transform import old_key
from service.core.phases.acting import Side
from service.rehearsal.by_mapping import MappedApplication
from service.rehearsal.counting import CountingWriters
from service.rehearsal.demo.items import old_items, text
from service.rehearsal.write_log import Kind, WriteLog
from service.rehearsal.writers import Writer
from service.tasks import task_group

PAUSE_SECONDS = 0.8
WRITERS = 4
SHARED_ITEMS = 6
OWN_ITEMS = 6
"""Of each writer, at the start."""

BAD_SECONDS = 1.0
TOO_DEEP = 31
"""Levels that the old table takes, and v2, where the attribute lies one level deeper, does not."""

BAD_ITEM = {"pk": text("LEAD#bad"), "sk": text("METADATA"), "entity_type": text("LEAD"), "id": text("bad")}


class OwnWriter(Writer):
    """It updates any item that it knows, and moves and deletes its own."""

    own: frozenset[str] = frozenset()
    """The keys of its own items at the start."""

    held = False
    """Whether it makes no further write."""

    async def hold(self) -> None:
        """Make no further write. The write under way has ended when this returns."""
        self.held = True
        await self.switch(self.side)

    async def go_on(self, side: Side) -> None:
        """Write ``side`` from now on."""
        await self.switch(side)
        self.held = False

    async def _write(self) -> None:
        if not self.held:
            await super()._write()

    def _choose(self, kind: Kind) -> str:
        own = sorted(self.own & self._known.keys() | self._known.keys() - self._shared)
        return self._random.choice(own if kind != "update" and own else sorted(self._known))


class SoakApplication:
    """All writers. In phase `dual` every second one is on v2."""

    def __init__(self, app: App) -> None:
        self._app = app
        self.log = WriteLog()
        items = [item for item in old_items(OPPORTUNITIES) if item["entity_type"]["S"] in ("LEAD", "DEAL")]
        shared, rest = (
            items[:: len(items) // SHARED_ITEMS],
            [item for n, item in enumerate(items) if n % (len(items) // SHARED_ITEMS)],
        )
        own = [rest[n * OWN_ITEMS : (n + 1) * OWN_ITEMS] for n in range(WRITERS)]
        self._writers = [self._writer(number, [*shared, *own[number]], own[number]) for number in range(WRITERS)]
        application = MappedApplication(app.store, app.mapping, app.clock, ())
        self.counting = CountingWriters(application, shared, app.mapping, app.clock)
        self._copies = 0
        self._bad = False
        self._mended = asyncio.Event()

    def _writer(self, number: int, known: list[Item], own: list[Item]) -> OwnWriter:
        app = self._app
        application = MappedApplication(app.store, app.mapping, app.clock, known)
        writer = OwnWriter(number, application, known, app.mapping, app.clock, self.log)
        writer.own = frozenset(key_text(old_key(app.mapping, item)) for item in own)
        return writer

    @asynccontextmanager
    async def writing(self) -> AsyncIterator[None]:
        """Write on the old side, for the block. Raises what a writer fails with."""
        quiet = asyncio.Event()
        await self.counting.create_items()
        await self._app.store.write(Put(self._app.mapping.old.table, BAD_ITEM))
        await self.counting.allow("old")
        async with task_group() as tasks:
            for writer in self._writers:
                tasks.create_task(writer.run(quiet, PAUSE_SECONDS))
            tasks.create_task(self.counting.run(quiet, PAUSE_SECONDS))
            tasks.create_task(self._write_bad_items(quiet))
            try:
                yield
            finally:
                quiet.set()

    async def use(self, sides: Sequence[Side], carried: Callable[[], Awaitable[None]]) -> None:
        """Let the instances write these sides, and count on them.

        An instance changes its side once what it has written is there (``carried`` returns): its items are no other's, so that
        an item is never moved on both sides at a time.
        """
        await self.counting.allow(*sides)
        wanted = [(writer, sides[number % len(sides)]) for number, writer in enumerate(self._writers)]
        leaving = [(writer, side) for writer, side in wanted if writer.side != side]
        for writer, _ in leaving:
            await writer.hold()
        if leaving:
            await carried()
        for writer, side in leaving:
            await writer.go_on(side)

    async def copy(self, *sides: Side) -> None:
        """Copy an item with its stamp on each side."""
        for side in sides:
            self._copies += 1
            await self.counting.copy(side, f"copy-{self._copies}")

    async def allow_bad(self, allowed: bool) -> None:
        """Let an item be bad now and then, or never. Returns once it is good, if it is to be."""
        self._bad = allowed
        if not allowed:
            await self._mended.wait()

    async def _write_bad_items(self, quiet: asyncio.Event) -> None:
        count = 0
        while not quiet.is_set():
            count += 1
            if self._bad:
                self._mended.clear()
                await self._set_deep(nested(TOO_DEEP))
                await asyncio.sleep(BAD_SECONDS)
                await self._set_deep(text(f"good {count}"))
            self._mended.set()
            await asyncio.sleep(BAD_SECONDS)

    async def _set_deep(self, value: AttributeValue) -> None:
        key = old_key(self._app.mapping, BAD_ITEM)
        await self._app.store.write(Update(self._app.mapping.old.table, key, {"deep": value}, ()))


def nested(levels: int) -> AttributeValue:
    """A text in so many lists."""
    value = text("x")
    for _ in range(levels):
        value = {"L": [value]}
    return value
