"""The applications of a rehearsal, by the mapping and by the examples: the same operations have the same results."""

from collections.abc import AsyncIterator

import pytest

from service.clock import SystemClock
from service.core.item.wire import Item, key_text
from service.rehearsal.application import Application, ItemExists, Missing
from service.rehearsal.by_mapping import MappedApplication
from tests.builders.crm_tables import CrmTables, make_crm_tables
from tests.builders.planes import open_plane, plane_settings
from tests.worlds.example_application import ExampleApplication, links_to

pytestmark = pytest.mark.moto

KEY: Item = {"pk": {"S": "DEAL#7"}, "sk": {"S": "METADATA"}}
DEAL: Item = {
    **KEY,
    "entity_type": {"S": "DEAL"},
    "id": {"S": "7"},
    "stage": {"S": "won"},
    "note": {"S": "n"},
    "created_at": {"S": "2024-01-05"},
}
MOVED: Item = {"created_at": {"S": "2024-03-01T00:00:00Z"}, "note": {"S": "moved"}}
VERSION = "0001." + "7".zfill(40)


@pytest.fixture
def crm(moto_server, table_prefix) -> CrmTables:
    return make_crm_tables(moto_server, table_prefix)


@pytest.fixture(params=["examples", "mapping"])
async def application(request, crm, moto_server) -> AsyncIterator[Application]:
    if request.param == "examples":
        yield ExampleApplication(plane_settings(moto_server), crm.mapping, links_to(crm.mapping, [DEAL]))
        return
    async with open_plane(moto_server) as store:
        yield MappedApplication(store, crm.mapping, SystemClock(), [DEAL])


@pytest.mark.parametrize("side", ["old", "v2"])
async def test_an_item_is_created_changed_moved_and_deleted(crm, application, side):
    await application.create(side, DEAL)
    with pytest.raises(ItemExists):
        await application.create(side, DEAL)
    await application.update(side, KEY, {"stage": {"S": "lost"}})
    await application.update(side, KEY, MOVED)
    found = await application.read(side, KEY)
    assert found is not None
    assert {**DEAL, **MOVED, "stage": {"S": "lost"}}.items() <= found.items()
    assert (len(crm.old_items()), len(crm.v2_items())) == ((1, 0) if side == "old" else (0, 1))
    await application.delete(side, KEY)
    assert await application.read(side, KEY) is None
    assert crm.old_items() + crm.v2_items() == []


@pytest.mark.parametrize("side", ["old", "v2"])
async def test_an_item_that_does_not_exist_is_missing(application, side):
    assert await application.read(side, KEY) is None
    with pytest.raises(Missing):
        await application.update(side, KEY, MOVED)
    with pytest.raises(Missing):
        await application.delete(side, KEY)


@pytest.mark.parametrize("side", ["old", "v2"])
async def test_a_tombstone_is_no_item_and_may_be_written_over(crm, application, side):
    place = KEY if side == "old" else {"PK": {"S": "DEAL"}, "SK": {"S": "2024-01#7"}}
    table = crm.mapping.old.table if side == "old" else crm.mapping.entities["DEAL"].table
    tombstone = {"M": {"v": {"S": VERSION}, "d": {"BOOL": True}}}
    crm.client.put_item(TableName=table, Item={**place, "_sync": tombstone})
    assert await application.read(side, KEY) is None
    with pytest.raises(Missing):
        await application.update(side, KEY, MOVED)
    await application.create(side, DEAL)
    assert await application.read(side, KEY) is not None


@pytest.fixture
async def mapped(crm, moto_server) -> AsyncIterator[MappedApplication]:
    async with open_plane(moto_server) as store:
        yield MappedApplication(store, crm.mapping, SystemClock(), [DEAL])


@pytest.mark.parametrize("side", ["old", "v2"])
async def test_an_attribute_is_set_if_it_still_is_what_it_was(mapped, side):
    with pytest.raises(Missing):
        await mapped.compare_and_set("v2", KEY, "note", None, {"S": "x"})
    assert not await mapped.compare_and_set("old", KEY, "note", None, {"S": "x"})
    await mapped.create(side, DEAL)
    assert await mapped.compare_and_set(side, KEY, "turns", None, {"N": "1"})
    assert not await mapped.compare_and_set(side, KEY, "turns", None, {"N": "1"})
    assert await mapped.compare_and_set(side, KEY, "turns", {"N": "1"}, {"N": "2"})
    found = await mapped.read(side, KEY)
    assert found is not None
    assert (found["turns"], found["note"]) == ({"N": "2"}, DEAL["note"])


@pytest.mark.parametrize("side", ["old", "v2"])
async def test_an_item_is_duplicated_with_its_stamp(crm, mapped, side):
    other: Item = {**DEAL, "id": {"S": "8"}, "pk": {"S": "DEAL#8"}}
    with pytest.raises(Missing):
        await mapped.duplicate(side, KEY, other)
    await mapped.create(side, DEAL)
    items = crm.old_items if side == "old" else crm.v2_items
    (item,), stamp = items(), {"M": {"v": {"S": VERSION}}}
    table = crm.mapping.old.table if side == "old" else crm.mapping.entities["DEAL"].table
    crm.client.put_item(TableName=table, Item={**item, "_sync": stamp})
    await mapped.duplicate(side, KEY, other)
    with pytest.raises(ItemExists):
        await mapped.duplicate(side, KEY, other)
    assert [item["_sync"] for item in items()] == [stamp, stamp]
    found = await mapped.read(side, {"pk": {"S": "DEAL#8"}, "sk": {"S": "METADATA"}})
    assert found is not None
    assert (found["id"], found["note"]) == ({"S": "8"}, DEAL["note"])


async def test_the_stamp_stays_with_an_item_that_is_changed_on_v2(crm, application):
    await application.create("v2", DEAL)
    stamp = _stamp_the_v2_item(crm)
    await application.update("v2", KEY, {"stage": {"S": "lost"}})
    assert [item["_sync"] for item in crm.v2_items()] == [stamp]


def _stamp_the_v2_item(crm) -> dict:
    table, stamp = crm.mapping.entities["DEAL"].table, {"M": {"v": {"S": VERSION}}}
    (item,) = crm.v2_items()
    crm.client.put_item(TableName=table, Item={**item, "_sync": stamp})
    return stamp


async def test_an_application_that_moves_its_item_leaves_the_stamp_and_the_mapped_one_keeps_it(crm, application):
    await application.create("v2", DEAL)
    stamp = _stamp_the_v2_item(crm)
    await application.update("v2", KEY, MOVED)
    kept = [stamp] if isinstance(application, MappedApplication) else [None]
    assert [item.get("_sync") for item in crm.v2_items()] == kept


def test_links_are_kept_by_old_key(crm):
    assert [*links_to(crm.mapping, [DEAL])] == [key_text(KEY)]
