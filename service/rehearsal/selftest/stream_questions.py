"""What the self-test asks about streams: after enabling, order, splits, what a read shows, TTL deletions."""

import asyncio
from collections.abc import Sequence

from service.core.item.change import is_expiry
from service.core.item.stamp import SEQUENCE_DIGITS
from service.core.item.write import Put
from service.dynamodb.table_waits import until_stream_enabled
from service.rehearsal.selftest.item_questions import judged
from service.rehearsal.selftest.records import collected, disorder, pages
from service.rehearsal.selftest.report import Finding
from service.rehearsal.selftest.site import Site, key, numbered

ITEMS = 5
WRITES = 20
SPLIT_UNITS = 1010
"""Provisioned write units: one partition has 1,000 at most, so DynamoDB needs a second one
(https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/bp-partition-key-design.html)."""

SPLIT_PAUSE_SECONDS = 0.5
LAST_RECORDS_SECONDS = 30.0
"""A split that comes later than this before the end is not asked about any more: its records may not all come in time."""


async def after_enabling(site: Site) -> Finding:
    """Whether every write after DescribeStream says ENABLED is in the stream."""
    table, app = await site.make("enabling", stream=False), site.app
    await app.store.write(Put(table, numbered("before", 0)))
    await asyncio.to_thread(app.tables.plane.enable_stream, table)
    await until_stream_enabled(app.tables.plane, app.store, table, app.clock)
    for number in range(WRITES):
        await app.store.write(Put(table, numbered(f"after{number}", number)))
    began = app.clock.monotonic()
    found = await collected(site, table, WRITES)
    missing = {f"after{number}" for number in range(WRITES)} - {seen.name for seen in found}
    without = [seen.name for seen in found if "NewImage" not in seen.record["dynamodb"]]
    wrong = [f"{len(missing)} of {WRITES} writes are not in the stream"] * bool(missing) + without
    return judged(
        wrong,
        f"{WRITES} of {WRITES} after {app.clock.monotonic() - began:.1f} s, the stream not found {site.refusals[table]} times",
    )


async def order(site: Site) -> Finding:
    """Whether sequence numbers order the writes of each item."""
    table = await site.make("order")
    await asyncio.gather(*(_write(site, table, f"item{item}", range(WRITES)) for item in range(ITEMS)))
    found = await collected(site, table, ITEMS * WRITES)
    lengths = sorted({len(seen.sequence) for seen in found})
    wrong = [] if len(found) >= ITEMS * WRITES else [f"only {len(found)} of {ITEMS * WRITES} records came"]
    wrong += [text for text in (disorder(found),) if text]
    if not all(seen.sequence.isdigit() for seen in found) or lengths[-1:] > [SEQUENCE_DIGITS]:
        wrong.append(f"sequence numbers that are not 1 to {SEQUENCE_DIGITS} digits")
    shards = len({seen.shard for seen in found})
    return judged(wrong, f"{len(found)} records of {ITEMS} items in {shards} shards, of {lengths} digits")


async def reads_follow_records(site: Site) -> Finding:
    """Whether a consistent read that begins after a record was returned sees that write or a later one."""
    table, store = await site.make("reads"), site.app.store
    writing = asyncio.create_task(_write(site, table, "item", range(3 * WRITES)))
    late, looks, last = [], 0, -1
    async for page in pages(site, table):
        if page:
            item = await store.get(table, key("item"))
            looks, last = looks + 1, page[-1].number
            late += [last] if item is None or int(item["n"]["N"]) < last else []
        if last == 3 * WRITES - 1:
            break
    writing.cancel()
    await asyncio.gather(writing, return_exceptions=True)
    if not looks:
        return Finding("not seen", "no record came")
    return judged(
        [f"a read was older than records {late}"] * bool(late), f"{looks} reads, none older than the record before"
    )


async def split(site: Site) -> Finding:
    """Whether sequence numbers order the writes of each item also over the split of a shard, and children name their parent."""
    units = {"ReadCapacityUnits": 1, "WriteCapacityUnits": 5}
    table = await site.make("split", BillingMode="PROVISIONED", ProvisionedThroughput=units)
    more = {"ReadCapacityUnits": 1, "WriteCapacityUnits": SPLIT_UNITS}
    arn = await site.stream_arn(table)
    await site.request("update_table", table, ProvisionedThroughput=more)
    written = 0
    children: Sequence[str] = ()
    while site.left > LAST_RECORDS_SECONDS and not children:
        written = await _one_more(site, table, written)
        shards = (await site.app.store.describe_stream(arn)).shards
        closed = {shard.shard_id for shard in shards if shard.ending is not None}
        children = [shard.shard_id for shard in shards if shard.parent_id in closed]
    if not children:
        return Finding("not seen", f"no shard split while {written} writes were made")
    for _ in range(WRITES):
        written = await _one_more(site, table, written)
    found = await collected(site, table, written * ITEMS)
    wrong = [text for text in (disorder(found),) if text]
    wrong += [f"only {len(found)} of {written * ITEMS} records came"] * (len(found) < written * ITEMS)
    used = len({seen.shard for seen in found})
    return judged(wrong, f"{len(children)} children; {len(found)} records of {ITEMS} items in {used} shards")


async def expiry(site: Site) -> Finding:
    """Whether a deletion by TTL is told apart by its record."""
    table = await site.make("expiry")
    wanted = {"Enabled": True, "AttributeName": "expires"}
    await site.request("update_time_to_live", table, TimeToLiveSpecification=wanted)
    past = {"expires": {"N": str(int(site.app.clock.now()) - 60)}}
    for number in range(ITEMS):
        await site.app.store.write(Put(table, {**numbered(f"item{number}", number), **past}))
    async for page in pages(site, table):
        for seen in page:
            if seen.record["eventName"] == "REMOVE":
                told = is_expiry(seen.record)
                return Finding("held" if told else "broken", f"userIdentity {seen.record.get('userIdentity')}")
    return Finding("not seen", "DynamoDB expired nothing yet: it may take days")


async def _write(site: Site, table: str, name: str, numbers: range) -> None:
    for number in numbers:
        await site.app.store.write(Put(table, numbered(name, number)))


async def _one_more(site: Site, table: str, written: int) -> int:
    """Write each item once more; return how often each is written."""
    for item in range(ITEMS):
        await site.app.store.write(Put(table, numbered(f"item{item}", written)))
    await site.app.clock.sleep(SPLIT_PAUSE_SECONDS)
    return written + 1
