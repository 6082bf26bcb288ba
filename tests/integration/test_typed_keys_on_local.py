"""Keys of every type, and an index with several attributes in its key, on DynamoDB Local: made, copied, found by the index."""

import pytest

from service.core.mapping.inverse import inverse
from service.core.mapping.transform import forward
from tests.builders.typed_keys import TYPED_TEXT, readings
from tests.worlds.server_world import opened

pytestmark = pytest.mark.local


async def test_items_are_copied_and_found_by_every_index(dynamodb_local: str, table_prefix: str) -> None:
    items = readings()
    async with opened(dynamodb_local, table_prefix, TYPED_TEXT) as server:
        await server.fill(items)
        assert (await server.backfill()).ok
        (table,) = server.mapping.tables
        copied = await server.all_items(table)
        given_back = [inverse(server.mapping, item, table) for item in copied]
        assert sorted(map(str, (sorted(old.items()) for old in given_back))) == sorted(
            str(sorted(old.items())) for old in items
        )
        (entity,) = server.mapping.entities.values()
        for old in items:
            v2 = forward(server.mapping, old)
            for index, names in entity.indexes.items():
                page = await server.plane.query(table, {name: v2.item[name] for name in names}, index=index)
                assert v2.key in [{name: item[name] for name in v2.key} for item in page.items]
