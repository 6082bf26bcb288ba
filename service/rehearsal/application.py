"""The application as a rehearsal sees it: instances that read and write one side, in the old table's form."""

from typing import Protocol

from service.core.item.wire import Item
from service.core.phases.acting import Side


class Missing(Exception):
    """There is no such item on that side now."""


class ItemExists(Exception):
    """There is one already."""


class Application(Protocol):
    """One instance. Items and keys are those of the old table, in wire form, without stamps, whatever side is used.

    A write that meets one of tablesplit's transactions is made again until it goes through; what does not go through in the end
    is raised, and ends the rehearsal.
    """

    async def read(self, side: Side, key: Item) -> Item | None:
        """The item, read consistently; None also for a bare tombstone."""

    async def create(self, side: Side, item: Item) -> None:
        """Write a new item. Raises Exists."""

    async def update(self, side: Side, key: Item, values: Item) -> None:
        """Set attributes, also one that the v2 key depends on. Raises Missing."""

    async def delete(self, side: Side, key: Item) -> None:
        """Raises Missing."""
