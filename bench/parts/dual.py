"""What a change costs in ``dual``, on DynamoDB Local: requests, write units, CPU, changes per second; and the same with boto3.

The sinks apply what real streams show: one the application's changes, then the other the records that the first has written.
The guarded rule applies as many changes of the same items for comparison.
"""

import asyncio
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Literal, TypeVar

from bench.boto.dual import BotoDual
from bench.boto.stream import client
from bench.dual_tables import Dual, opened
from bench.facts import DUAL_FORWARD, DUAL_REVERSE, Facts, against
from bench.items import many_items
from service.core.item.wire import Item
from service.core.mapping.mapping import Mapping
from service.core.mapping.transform import forward
from service.rehearsal.servers.local_servers import dynamodb_local
from service.streams.engine import ShardSink
from service.sync.sinks.forward import ForwardSink
from service.sync.sinks.reverse import ReverseSink

T = TypeVar("T")
Way = Literal["forward", "reverse"]
Place = tuple[str, Item]
WAYS: dict[Way, str] = {"forward": DUAL_FORWARD, "reverse": DUAL_REVERSE}
TITLE = "A change in `dual`: DynamoDB Local"
ITEMS, BOTO_ITEMS = 800, 200
COMPARED = ("a change in `dual`", "tablesplit: CPU", "boto3: CPU", "ratio", "boto3: changes/s")
HOT = 200
"""Changes of the hot item."""

PAGE = 1_000
"""Changes in one GetRecords page."""


@dataclass(frozen=True)
class Cost:
    """What it took to carry some changes of the application."""

    name: str
    changes: int
    seconds: float
    cpu_seconds: float
    requests: Counter[str] = field(default_factory=Counter)
    write_units: Counter[str] = field(default_factory=Counter)

    def __add__(self, other: "Cost") -> "Cost":
        """Both, one after the other, for the same changes."""
        return Cost(
            self.name,
            self.changes,
            self.seconds + other.seconds,
            self.cpu_seconds + other.cpu_seconds,
            self.requests + other.requests,
            self.write_units + other.write_units,
        )

    def row(self) -> str:
        """A row of the table."""
        requests, units = self.requests.total() / self.changes, self.write_units.total() / self.changes
        rate, cpu = self.changes / self.seconds, self.cpu_seconds / self.changes * 1e6
        return f"| {self.name} | {self.changes} | {requests:.2f} | {units:.2f} | {cpu:.0f} us | {rate:.0f} |"


async def measured(dual: Dual, name: str, sink: ShardSink, tables: Sequence[str], changes: int) -> Cost:
    """Apply what the streams of ``tables`` show anew, for so many changes of the application."""
    pages = [page for table in tables for page in _pages(await dual.new_changes(table))]
    dual.counted.clear()
    wall, cpu = time.perf_counter(), time.process_time()
    for page in pages:
        await sink.apply("shard", page)
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    return Cost(name, changes, wall, cpu, dual.counted.requests.copy(), dual.counted.write_units.copy())


def _pages(values: Sequence[T]) -> Iterator[Sequence[T]]:
    return (values[start : start + PAGE] for start in range(0, len(values), PAGE))


def run(facts: Facts) -> list[str]:
    """The table of costs, and that of the comparison with boto3."""
    with dynamodb_local() as url:
        costs = asyncio.run(_costs(url))
        theirs = {way: asyncio.run(_by_boto(url, way)) for way in WAYS}
    lines = [
        *table(costs),
        "",
        "| a change in `dual` | tablesplit: CPU | boto3: CPU | ratio | boto3: changes/s |",
        "|---|---|---|---|---|",
    ]
    for way, name in WAYS.items():
        ours, plain = (_cpu(next(cost for cost in some if cost.name == name)) for some in (costs, [theirs[way]]))
        facts[against(name, "single")] = plain / ours
        rate = theirs[way].changes / theirs[way].seconds
        lines.append(f"| {name} | {ours:.0f} us | {plain:.0f} us | {plain / ours:.1f} | {rate:.0f} |")
    return lines


def _cpu(cost: Cost) -> float:
    return cost.cpu_seconds / cost.changes * 1e6


async def _costs(url: str) -> list[Cost]:
    """Measure changes of ITEMS items: of the old table once and again, of v2, and HOT changes of one old item."""
    items = list(many_items(ITEMS))
    async with opened(url, items) as dual:
        old, v2 = places(dual.app.mapping, items)
        await dual.skip()
        await dual.change(old)
        costs = [await measured(dual, "guarded rule", dual.guarded(), [dual.old.table], ITEMS)]
        await dual.skip()
        sinks = dual.forward(), dual.reverse()
        for name in (f"{DUAL_FORWARD}, an item's first", DUAL_FORWARD):
            await dual.change(old)
            costs += await from_old(dual, name, sinks, ITEMS)
        await dual.change(v2)
        costs += await from_v2(dual, DUAL_REVERSE, sinks, ITEMS)
        dual.require_carried()
        for _ in range(HOT):
            await dual.change(old[-1:])
        return costs + await from_old(dual, "changes of one hot item of the old table", sinks, HOT)


async def from_old(dual: Dual, name: str, sinks: tuple[ForwardSink, ReverseSink], changes: int) -> list[Cost]:
    """Both directions, and each of them."""
    forward, reverse = sinks
    there = await measured(dual, f"{name}: forward", forward, [dual.old.table], changes)
    back = await measured(dual, f"{name}: reverse passes its records", reverse, list(dual.app.mapping.tables), changes)
    return [Cost(name, changes, 0.0, 0.0) + there + back, there, back]


async def from_v2(dual: Dual, name: str, sinks: tuple[ForwardSink, ReverseSink], changes: int) -> list[Cost]:
    """The same of changes of v2."""
    forward, reverse = sinks
    back = await measured(dual, f"{name}: reverse", reverse, list(dual.app.mapping.tables), changes)
    there = await measured(dual, f"{name}: forward passes its records", forward, [dual.old.table], changes)
    return [Cost(name, changes, 0.0, 0.0) + back + there, back, there]


def places(mapping: Mapping, items: Sequence[Item]) -> tuple[list[Place], list[Place]]:
    """Where the items are in the old table, and in v2."""
    old = [(mapping.old.table, {name: item[name] for name in mapping.old.key_names}) for item in items]
    return old, [(v2.table, v2.key) for v2 in (forward(mapping, item) for item in items)]


async def _by_boto(url: str, way: Way) -> Cost:
    """The same with boto3, both directions."""
    items = list(many_items(BOTO_ITEMS))
    async with opened(url, items) as dual:
        boto = BotoDual(client(url), dual.app.mapping)
        await dual.skip()
        await dual.change(places(dual.app.mapping, items)[way == "reverse"])
        seconds = cpu = 0.0
        v2 = list(dual.app.mapping.tables)
        for carry, tables in ((boto.forward, [dual.old.table]), (boto.reverse, v2))[:: -1 if way == "reverse" else 1]:
            changes = [change for table in tables for change in await dual.new_changes(table)]
            wall_before, cpu_before = time.perf_counter(), time.process_time()
            await asyncio.to_thread(carry, changes)
            seconds += time.perf_counter() - wall_before
            cpu += time.process_time() - cpu_before
        left = [await dual.new_changes(table) for table in (dual.old.table, *v2)]
        assert not any(left), "boto3 has carried its own writes"
    return Cost(WAYS[way], BOTO_ITEMS, seconds, cpu)


def table(costs: Sequence[Cost]) -> list[str]:
    """The results as a Markdown table."""
    return [
        "| work | changes | requests a change | write units a change | CPU a change | changes/s |",
        "|---|---|---|---|---|---|",
        *[cost.row() for cost in costs],
    ]
