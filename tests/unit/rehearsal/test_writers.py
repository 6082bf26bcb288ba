"""The writers of a rehearsal and of the demonstration."""

import asyncio
from collections.abc import Sequence
from functools import partial

from service.clock import SystemClock
from service.core.item.wire import Item, key_text
from service.core.mapping.dates import moment_of
from service.core.mapping.transform import old_key
from service.core.phases.acting import Side
from service.rehearsal.demo.items import old_items
from service.rehearsal.demo.seed import writer_numbers
from service.rehearsal.write_log import WriteLog
from service.rehearsal.writers import MONTHS, Writer
from tests.builders.mappings import crm, parcels

WRITES = 300


class Recorded:
    """An ``Application`` that has every item and takes every write; it notes the ids that are created, and what is updated."""

    def __init__(self, items: Sequence[Item], stop: asyncio.Event) -> None:
        self._items = {key_text(old_key(crm(), item)): item for item in items}
        self.created: set[str] = set()
        self.updates: list[Item] = []
        self._stop = stop
        self._writes = 0

    async def read(self, side: Side, key: Item) -> Item | None:
        return self._items[key_text(key)]

    async def create(self, side: Side, item: Item) -> None:
        self.created.add(item["id"]["S"])
        self._items[key_text(old_key(crm(), item))] = item
        self._count()

    async def update(self, side: Side, key: Item, values: Item) -> None:
        self.updates.append(values)
        self._count()

    async def delete(self, side: Side, key: Item) -> None:
        self._count()

    def _count(self) -> None:
        self._writes += 1
        if self._writes == WRITES:
            self._stop.set()


async def created_by(side: Side) -> set[str]:
    """The ids that a side's writers create."""
    created: set[str] = set()
    items = [item for item in old_items(4) if item["entity_type"]["S"] in ("LEAD", "DEAL")]
    for number in writer_numbers(side):
        stop = asyncio.Event()
        application = Recorded(items, stop)
        writer = Writer(number, application, items, crm(), SystemClock(), WriteLog())
        await writer.switch(side)
        await writer.run(stop, 0)
        created |= application.created
    return created


async def test_the_demonstrations_two_applications_never_create_one_id_both() -> None:
    old, v2 = await created_by("old"), await created_by("v2")
    assert min(len(old), len(v2)) > 20
    assert not old & v2


async def test_an_item_whose_key_has_a_number_for_its_date_is_moved_by_a_number() -> None:
    parcel: Item = {"pk": {"S": "PARCEL#7"}, "sk": {"S": "META"}, "kind": {"S": "PARCEL"}, "id": {"S": "7"}}
    stop = asyncio.Event()
    application = Recorded([parcel], stop)
    await Writer(0, application, [parcel], parcels(), SystemClock(), WriteLog()).run(stop, 0)
    moves = [values["created_at"]["N"] for values in application.updates if "created_at" in values]
    assert len(moves) == len(set(moves)) > 20
    months = {moment.isoformat()[:7] for moment in map(partial(moment_of, "epoch"), moves) if moment}
    assert months == set(MONTHS)
