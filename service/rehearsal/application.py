"""The application in a rehearsal: what an instance of it can do, on either side, with items in the old table's form."""

from typing import Protocol

from service.core.item.wire import Item
from service.core.phases.acting import Side


class Missing(Exception):
    """That side has no such item now."""


class ItemExists(Exception):
    """That side already has such an item."""


class Application(Protocol):
    """One instance. Items and keys are those of the old table, in wire form, without stamps, on both sides.

    A write that conflicts with a transaction of another writer's is repeated until it succeeds; tablesplit makes none here.
    An error that remains is raised and ends the rehearsal.
    """

    async def read(self, side: Side, key: Item) -> Item | None:
        """Read the item consistently; None where there is none, or only a bare tombstone."""

    async def create(self, side: Side, item: Item) -> None:
        """Write a new item. Raises ItemExists."""

    async def update(self, side: Side, key: Item, values: Item) -> None:
        """Set attributes, including those that the v2 key depends on. Raises Missing."""

    async def delete(self, side: Side, key: Item) -> None:
        """Delete the item. Raises Missing."""
