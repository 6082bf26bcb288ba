"""Finds the Kinesis Client Library applications that read a stream: each keeps a lease of every shard in a table of its own.

A lease table has the partition key ``leaseKey`` and no sort key; the key of a lease is the shard's id. Source:
https://docs.aws.amazon.com/streams/latest/dev/kcl-dynamoDB.html. An application that reads several streams prefixes its keys with
the stream, and is not found.
"""

import asyncio

from service.dynamodb.control_plane import ControlPlane
from service.dynamodb.protocol import ItemStore
from service.dynamodb.table_facts import table_names
from service.dynamodb.table_features import Unread
from service.errors import Fatal, TablesplitError

KEY = "leaseKey"
DESCRIBED_AT_ONCE = 8
TRIED_SHARDS = 3
"""Of the newest shards. A reader has a lease of each open one."""


async def lease_tables(
    plane: ControlPlane, store: ItemStore, shards: list[str], known: frozenset[str]
) -> tuple[str, ...] | Unread:
    """The tables in which one of the newest ``shards`` has a lease, and, marked so, those whose leases may not be read.

    ``known``: tables that need not be looked at.
    """
    try:
        names = [name for name in await asyncio.to_thread(table_names, plane) if name not in known]
        slots = asyncio.Semaphore(DESCRIBED_AT_ONCE)
        found = await asyncio.gather(*(_if_reader(plane, store, name, shards, slots) for name in names))
    except TablesplitError as refused:
        return Unread(refused.message, refused.remedy)
    return tuple(name for name in found if name)


async def _if_reader(
    plane: ControlPlane, store: ItemStore, name: str, shards: list[str], slots: asyncio.Semaphore
) -> str:
    async with slots:
        table = await asyncio.to_thread(plane.describe_table, name)
        if table is None or table.key != (KEY, None):
            return ""
        return await _with_lease(store, name, shards)


async def _with_lease(store: ItemStore, name: str, shards: list[str]) -> str:
    try:
        for shard in shards[-TRIED_SHARDS:]:
            if await store.get(name, {KEY: {"S": shard}}) is not None:
                return name
    except Fatal:  # no permission: it may be a reader
        return f"{name} (perhaps: its leases could not be read)"
    return ""
