"""What a change of the old table costs in ``dual``, on DynamoDB Local: requests, write units, changes per second.

The sinks apply what real streams show: forward the changes of the old table,
then reverse the records that forward has written. The guarded rule applies as many changes of the same items for comparison.
"""

import asyncio
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from bench.dual_tables import Dual, opened
from bench.facts import Facts
from bench.items import many_items
from service.rehearsal.servers.local_servers import dynamodb_local
from service.streams.engine import ShardSink
from service.sync.sinks.forward import ForwardSink
from service.sync.sinks.reverse import ReverseSink

T = TypeVar("T")
TITLE = "A change of the old table in `dual`: DynamoDB Local, one run"
ITEMS = 1_000
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


async def carried(dual: Dual, name: str, sinks: tuple[ForwardSink, ReverseSink], changes: int) -> list[Cost]:
    """Both directions, and each of them."""
    forward, reverse = sinks
    there = await measured(dual, f"{name}: forward", forward, [dual.old.table], changes)
    back = await measured(dual, f"{name}: reverse passes its records", reverse, list(dual.app.mapping.tables), changes)
    both = Cost(name, changes, 0.0, 0.0) + there + back
    return [both, there, back]


def run(_: Facts) -> list[str]:
    """Measure, and give the table."""
    with dynamodb_local() as url:
        return table(asyncio.run(_costs(url, ITEMS)))


async def _costs(url: str, number: int) -> list[Cost]:
    """Measure ``number`` changes of as many items, once and again, and HOT changes of one."""
    items = list(many_items(number))
    async with opened(url, items) as dual:
        keys = [{name: item[name] for name in dual.old.key_names} for item in items]
        await dual.skip()
        await dual.change_old(keys, "guarded")
        costs = [await measured(dual, "guarded rule", dual.guarded(), [dual.old.table], number)]
        await dual.skip()
        sinks = dual.forward(), dual.reverse()
        for name in ("dual, an item's first change", "dual"):
            await dual.change_old(keys, name)
            costs += await carried(dual, name, sinks, number)
        for count in range(HOT):
            await dual.change_old(keys[-1:], f"hot {count}")
        return costs + await carried(dual, "dual, one hot item", sinks, HOT)


def table(costs: Sequence[Cost]) -> list[str]:
    """The results as a Markdown table."""
    return [
        "| work | changes | requests a change | write units a change | CPU a change | changes/s |",
        "|---|---|---|---|---|---|",
        *[cost.row() for cost in costs],
    ]
