"""Reads what a stream of the self-test holds, as it comes."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

from service.dynamodb.protocol import RecordsPage, StreamStore
from service.errors import StreamGone, Trimmed
from service.rehearsal.selftest.site import KEY, Site

READ_SECONDS = 0.25
"""Between two reads of a shard."""


@dataclass(frozen=True, slots=True)
class Seen:
    """One record."""

    shard: str
    name: str
    """The item's."""
    sequence: str
    record: dict[str, Any]

    @property
    def number(self) -> int:
        """The number of the write, as ``site.numbered`` made it; of a removal that of the item before."""
        content = self.record["dynamodb"]
        return int((content.get("NewImage") or content["OldImage"])["n"]["N"])


async def pages(site: Site, table: str) -> AsyncIterator[list[Seen]]:
    """The records of the table's stream, page by page and also empty ones, until the site's time is over. New shards are found."""
    store, arn = site.app.store, await site.stream_arn(table)
    iterators: dict[str, str | None] = {}
    begun: set[str] = set()
    while site.left > 0:
        try:
            for shard in (await store.describe_stream(arn)).shards:
                if shard.shard_id not in iterators:
                    iterators[shard.shard_id] = await store.shard_iterator(arn, shard.shard_id, "TRIM_HORIZON")
        except StreamGone:
            site.refusals[table] += 1
        for shard_id, iterator in iterators.items():
            if iterator is not None:
                page = await _page(store, arn, shard_id, iterator, begun=shard_id in begun)
                iterators[shard_id] = page.next_iterator
                begun |= {shard_id} if page.records else set()
                yield [_seen(shard_id, record) for record in page.records]
        await site.app.clock.sleep(READ_SECONDS)


async def _page(store: StreamStore, arn: str, shard_id: str, iterator: str, *, begun: bool) -> RecordsPage:
    """The next page. ``begun``: a record of the shard was read before."""
    try:
        return await store.get_records(iterator)
    except Trimmed:
        # DynamoDB Local says so of an iterator that is older than the shard's first record
        # (https://github.com/aws/aws-sdk-java/issues/2923). No record is a day old here.
        if begun:
            raise
        return await store.get_records(await store.shard_iterator(arn, shard_id, "TRIM_HORIZON"))


async def collected(site: Site, table: str, count: int) -> list[Seen]:
    """The first ``count`` records, or as many as come in the site's time."""
    found: list[Seen] = []
    async for page in pages(site, table):
        found += page
        if len(found) >= count:
            break
    return found


def disorder(found: list[Seen]) -> str:
    """What is wrong with the order of ``found``; empty when nothing is.

    By sequence number as a whole number, every item's writes must come in the order of their numbers, in whichever shards they are;
    and every shard must have been read in that order.
    """
    numbers: dict[str, list[int]] = {}
    for seen in sorted(found, key=lambda seen: int(seen.sequence)):
        numbers.setdefault(seen.name, []).append(seen.number)
    for name, written in numbers.items():
        if written != sorted(written):
            return f"item {name}: its sequence numbers put its writes in the order {written}"
    read: dict[str, list[int]] = {}
    for seen in found:
        read.setdefault(seen.shard, []).append(int(seen.sequence))
    return next(
        (f"shard {shard} was not read in order" for shard, all_of in read.items() if all_of != sorted(all_of)), ""
    )


def _seen(shard: str, record: dict[str, Any]) -> Seen:
    content = record["dynamodb"]
    return Seen(shard, content["Keys"][KEY]["S"], content["SequenceNumber"], record)
