"""``migrate --dry-run``: reads and transforms the old table as a backfill does, reports the result, and writes nothing."""

import asyncio
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from backfill.options import BackfillOptions
from backfill.throttle import ReadLimit, ThrottleWaits
from backfill.window import Rejection, Window
from service.clock import Clock
from service.config import Settings
from service.core.item.size import item_bytes
from service.core.mapping.mapping import Mapping
from service.core.mapping.transform import old_key
from service.dynamodb.protocol import ItemStore
from service.errors import Interrupted
from service.escape import lines_of
from service.telemetry.metrics import Metrics

EXAMPLES = 100
"""How many rejected items are listed; all are counted."""


@dataclass(slots=True)
class DryRunReport:
    """What a backfill would do."""

    items: int = 0
    """Old items read."""
    written: Counter[str] = field(default_factory=Counter)
    """v2 items, by table."""
    bytes: int = 0
    """Of all v2 items together, by DynamoDB's measure."""
    largest: int = 0
    """Bytes of the largest v2 item."""
    rejected: Counter[str] = field(default_factory=Counter)
    """Items that cannot be mapped, by reason."""
    examples: list[dict[str, Any]] = field(default_factory=list)
    """The first ``EXAMPLES`` rejected items, each with key, reason and message."""

    @property
    def ok(self) -> bool:
        """Whether every item can be mapped."""
        return not self.rejected

    def add(self, window: Window, mapping: Mapping) -> None:
        """Count the items of one page, which ``window`` holds."""
        self.items += window.items
        for table, copies in window.copies.items():
            self.written[table] += len(copies)
            sizes = [item_bytes(copy.item) for copy in copies]
            self.bytes += sum(sizes)
            self.largest = max(self.largest, *sizes)
        for rejection in window.rejections:
            self.rejected[rejection.poison.reason] += 1
            if len(self.examples) < EXAMPLES:
                self.examples.append(_example(rejection, mapping))

    def to_json(self) -> dict[str, Any]:
        """The document of `migrate --dry-run --json`."""
        return {
            "result": "dry run",
            "items": self.items,
            "written": dict(self.written),
            "bytes": self.bytes,
            "largest_bytes": self.largest,
            "rejected": dict(self.rejected),
            "examples": self.examples,
        }

    def to_text(self) -> str:
        """The report for people."""
        lines = [f"dry run: {self.items} items read, nothing written"]
        lines += [f"would write {count} items into {table}" for table, count in sorted(self.written.items())]
        lines += [f"{self.bytes} bytes in all, the largest item {self.largest} bytes"] if self.written else []
        lines += [f"would reject {count} items: {reason}" for reason, count in sorted(self.rejected.items())]
        lines += [f"  {example['message']}" for example in self.examples]
        return lines_of(lines)


async def dry_run(
    store: ItemStore,
    mapping: Mapping,
    settings: Settings,
    clock: Clock,
    metrics: Metrics,
    *,
    options: BackfillOptions,
    stop: asyncio.Event,
) -> DryRunReport:
    """Transform every old item, within the read limit of ``options``. Raises Interrupted when ``stop`` is set."""
    report = DryRunReport()
    waits = ThrottleWaits(clock, metrics.count_wait)
    reads = ReadLimit(clock, waits, options.max_read_units or settings.max_read_units)
    last_key = None
    while True:
        if stop.is_set():
            raise Interrupted(f"the dry run was stopped after {report.items} items; nothing was written")
        reserved = await reads.admit()
        page = await store.scan(mapping.old.table, segment=0, segments=1, start=last_key, limit=settings.page_items)
        reads.settle(reserved, page.consumed_units)
        window = Window(len(page.items))
        window.add(mapping, 0, page)
        report.add(window, mapping)
        last_key = page.last_key
        if last_key is None:
            return report


def _example(rejection: Rejection, mapping: Mapping) -> dict[str, Any]:
    poison = rejection.poison
    return {"key": old_key(mapping, rejection.old), "reason": poison.reason, "message": poison.message}
