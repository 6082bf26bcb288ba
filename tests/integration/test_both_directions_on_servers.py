"""Both lanes with real streams: two applications write the same items, and both sides end the same."""

import asyncio
import os
from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from random import Random
from typing import cast
from uuid import uuid4

import orjson
import pytest

from service.app import App, open_app
from service.control.conflicts import Conflicts
from service.control.ledger import ledger_id
from service.control.state import change_state
from service.control.workers import BOTH, Workers
from service.core.item.wire import Item
from service.core.item.write import Delete, Put
from service.core.mapping.mapping import load_mapping
from service.core.mapping.transform import forward
from service.core.phases.acting import Acting
from service.core.rules.agreement import BothSides, agree
from service.core.rules.images import old_form
from service.core.rules.ledger import Place, is_count
from service.core.rules.ledger_writes import PlaceReading
from service.dynamodb.caller import Answer, Request
from service.dynamodb.client import DynamoDBClient
from service.dynamodb.protocol import Fence, RecordsPage
from service.dynamodb.table_description import NewTable
from service.dynamodb.table_waits import until_active
from service.migration.start import create_and_start
from service.migration.status.snapshot import log_status
from service.sync.worker import sync_lanes
from tests.builders.mappings import CRM_TEXT
from tests.builders.planes import plane_settings
from tests.two_way.application import CREATED

QUICK = {"shard_discovery_seconds": 0.3, "poll_interval_seconds": 0.25, "lease_seconds": 10.0, "log_level": "warning"}
NUMBERS = 12
WRITES = 120
PAUSING = 0.2
"""How likely a writer waits, after a write, until a lane has read a stream again."""

OF_STREAMS = ("DescribeStream", "GetShardIterator", "GetRecords")

HOPS = 3
"""An old change is applied to v2, that write is carried back to old, and that one is read: the lanes catch up once for each."""


@asynccontextmanager
async def own_tables(url: str) -> AsyncIterator[App]:
    prefix = f"both-{uuid4().hex[:8]}"
    mapping = load_mapping(CRM_TEXT, source="crm.yaml", names=lambda variable, default: f"{prefix}-{default}")
    settings = plane_settings(url, control_table=f"{prefix}-control", **QUICK)
    async with open_app(settings, mapping) as app:
        table = NewTable(mapping.old.table, mapping.old.key_names, stream=False)
        await asyncio.to_thread(app.tables.plane.create_table, table)
        await until_active(app.tables.plane, table.name, app.clock)
        yield app
        await app.tables.drop(await app.tables.existing())
        await asyncio.to_thread(app.tables.plane.delete_table, table.name)


async def in_dual(app: App) -> Acting:
    """Put the migration into phase dual, as a cutover leaves it. Other tests cover the cutover itself."""
    state = await change_state(
        app.control, app.mapping, 0.0, lambda was: replace(was, phase="dual", rule="ledger", epoch=max(1, was.epoch))
    )
    return state.acting


class StreamReads:
    """Lets a test wait until a lane has read a stream of ``app`` again."""

    def __init__(self, app: App) -> None:
        self._get_records = app.store.get_records
        self._read = asyncio.Condition()
        setattr(app.store, "get_records", self._get_and_notify)  # noqa: B010 - this app's store alone

    async def next(self) -> None:
        """Return once a lane has read a stream since the call."""
        async with self._read:
            await self._read.wait()

    async def _get_and_notify(self, iterator: str, limit: int = 1000) -> RecordsPage:
        page = await self._get_records(iterator, limit)
        async with self._read:
            self._read.notify_all()
        return page


class Requests:
    """Keeps every request of ``app`` for items, and its answer: where the sides differ, they show how it came about."""

    def __init__(self, app: App) -> None:
        caller = cast(DynamoDBClient, app.store)._caller
        self._once = caller.once
        self._lines: list[str] = []
        setattr(caller, "once", self._once_and_keep)  # noqa: B010 - this app's client alone

    def about(self, app: App, name: str) -> str:
        """The lines that name the old item ``name``, one of its places on v2, or its entry of the ledger."""
        key = old_key(int(name.partition("#")[2]))
        marks = (f'"{name}"', f'#{name.partition("#")[2]}"', ledger_id(app.mapping.old.table, key))
        return "\n".join(line for line in self._lines if any(mark in line for mark in marks))

    async def _once_and_keep(
        self, operation: str, subject: str, request: Request, fence: Fence | None = None
    ) -> Answer:
        number, answer = len(self._lines), None
        if operation not in OF_STREAMS:
            self._lines.append(f"{number} > {operation} {orjson.dumps(request).decode()}")
        try:
            answer = await self._once(operation, subject, request, fence)
        finally:
            self._lines.append(f"{number} < {operation} {orjson.dumps(answer).decode()}")
        return answer


async def drained(app: App, reads: StreamReads, acting: Acting | None) -> None:
    """Return once both lanes have applied, by ``acting``, every change that was in the streams at the call."""
    workers = Workers(app.control, app.clock)
    async with asyncio.timeout(600):
        while not await workers.caught_up(20, BOTH, acting):  # False at once while a lane has no owner yet
            await reads.next()


def old_key(number: int) -> Item:
    return {"pk": {"S": f"DEAL#{number}"}, "sk": {"S": "METADATA"}}


def old_item(rng: Random, number: int, value: str) -> Item:
    named = {"entity_type": {"S": "DEAL"}, "id": {"S": str(number)}, "created_at": {"S": rng.choice(CREATED)}}
    return {**old_key(number), **named, "stage": {"S": value}, rng.choice(("title", "note")): {"S": value}}


async def write_old(app: App, rng: Random, reads: StreamReads) -> None:
    """Puts and deletes of old items; now and then the lanes read what is written so far."""
    for count in range(WRITES):
        number = rng.randrange(NUMBERS)
        if rng.random() < 0.25:
            await app.store.write(Delete(app.mapping.old.table, old_key(number)))
        else:
            await app.store.write(Put(app.mapping.old.table, old_item(rng, number, f"old{count}")))
        if rng.random() < PAUSING:
            await reads.next()


async def write_v2(app: App, rng: Random, reads: StreamReads) -> None:
    """Puts, which replace the item that is there, and deletes; an item at the other key is moved in one transaction."""
    table = app.mapping.entities["DEAL"].table
    for count in range(WRITES):
        number = rng.randrange(NUMBERS)
        keys = [forward(app.mapping, {**old_item(rng, number, ""), "created_at": {"S": at}}).key for at in CREATED]
        if rng.random() < 0.25:
            await app.store.transact([Delete(table, key) for key in keys])
        else:
            v2 = forward(app.mapping, old_item(rng, number, f"v2-{count}"))
            await app.store.transact([Put(table, v2.item), *(Delete(table, key) for key in keys if key != v2.key)])
        if rng.random() < PAUSING:
            await reads.next()


async def everything(app: App, table: str) -> list[Item]:
    return (await app.store.scan(table, segment=0, segments=1, start=None, limit=1000)).items


async def check_equal(app: App, requests: Requests) -> None:
    stamp, table = app.mapping.stamp, app.mapping.entities["DEAL"].table
    held = {head.key["pk"]["S"] for head in (await Conflicts(app.control).held()).values()}
    old = {item["pk"]["S"]: item for item in await everything(app, app.mapping.old.table)}
    assert all(is_count(item[stamp]["M"]["v"]["S"]) for item in old.values() if stamp in item)
    v2: dict[str, list[PlaceReading]] = defaultdict(list)
    for item in await everything(app, table):
        place = Place(table, {name: item[name] for name in app.mapping.tables[table].key_names})
        v2[old_form(app.mapping, place, item)["pk"]["S"]].append(PlaceReading(place, item))
    sides = {name: BothSides(tuple(v2[name]), old.get(name)) for name in {*old, *v2} - held}
    assert len(sides) > len(held)
    apart = {name: both for name, both in sides.items() if not agree(app.mapping, both)}
    assert not apart, "\n\n".join(requests.about(app, name) for name in apart)


@pytest.mark.parametrize("server", ["dynamodb_local", pytest.param("moto_server", marks=pytest.mark.slow)])
async def test_two_applications_write_the_same_items(server: str, request: pytest.FixtureRequest) -> None:
    url = request.getfixturevalue(server)
    os.environ.setdefault("AWS_ACCESS_KEY_ID", "test")
    os.environ.setdefault("AWS_SECRET_ACCESS_KEY", "test")
    async with own_tables(url) as app:
        await create_and_start(app)
        reads, requests = StreamReads(app), Requests(app)
        async with sync_lanes(app, log_status(app)) as lanes:
            await drained(app, reads, None)
            acting = await in_dual(app)
            await drained(app, reads, acting)
            await asyncio.gather(write_old(app, Random(1), reads), write_v2(app, Random(2), reads))
            for _ in range(HOPS):
                await drained(app, reads, acting)
            assert lanes.unready() is None
            outcomes = app.metrics.outcomes("forward"), app.metrics.outcomes("reverse")
            await check_equal(app, requests)
    assert outcomes[0]["applied"] > 0
    assert outcomes[1]["applied"] > 0
