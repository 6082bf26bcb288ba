"""Measures one piece of tablesplit's work in a process of its own, composed as the product composes it.

``python -m bench.work copy|apply|validate|settle URL ITEMS`` prints the figures as JSON. The migration has been started before, and
what is to be read is there: the clock covers the work alone. All records of the control table are on the server too.
"""

import asyncio
import json
import resource
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from backfill.options import BackfillOptions
from bench.site import settings_of
from service.app import App, open_app
from service.environment import use_local_credentials
from service.migration.backfill import copy_old_table
from service.migration.status.snapshot import log_status
from service.migration.validation import run_validation
from service.sync.worker import Lanes, sync_lanes
from service.validation.options import ValidationOptions

LOOK_SECONDS = 0.05
DEADLINE_SECONDS = 300


@dataclass(frozen=True, slots=True)
class Done:
    """How much was done, and how long that took: without what comes before the first item."""

    items: int
    seconds: float


async def copy(app: App, _: int) -> Done:
    """The backfill, as `migrate` makes it."""
    began = time.perf_counter()
    report = await copy_old_table(app, BackfillOptions(), asyncio.Event())
    return Done(report.outcomes.items, time.perf_counter() - began)


async def validate(app: App, _: int) -> Done:
    """The validation, as `validate` makes it, without the sample of the indexes."""
    began = time.perf_counter()
    report = await run_validation(app, ValidationOptions(index_sample=0), asyncio.Event())
    assert report.equal, report.to_text()
    items = sum(counts["old"] for counts in report.to_json()["counts"].values())
    return Done(items, time.perf_counter() - began)


async def apply(app: App, items: int) -> Done:
    """`sync`, both lanes, from its start until all changes are applied, and its positions saved."""
    return await synced(app, lambda: sum(app.metrics.outcomes("forward").values()), items)


async def settle(app: App, _: int) -> Done:
    """`sync` until both lanes have read their streams to the end: what earlier work has left in them is out of the way then."""
    async with asyncio.timeout(DEADLINE_SECONDS), sync_lanes(app, log_status(app)) as lanes:
        while min(lanes.forward.rounds(), lanes.reverse.rounds()) < 2:
            _require_ready(lanes)
            await asyncio.sleep(LOOK_SECONDS)
    return Done(1, 1.0)


async def synced(app: App, applied: Callable[[], int], items: int) -> Done:
    """`sync` from its start until ``applied`` is ``items``. The seconds are those from the first to the last."""
    async with asyncio.timeout(DEADLINE_SECONDS), sync_lanes(app, log_status(app)) as lanes:
        while not (first := applied()):
            _require_ready(lanes)
            await asyncio.sleep(LOOK_SECONDS)
        began = time.perf_counter()
        while applied() < items:
            _require_ready(lanes)
            await asyncio.sleep(LOOK_SECONDS)
        seconds = time.perf_counter() - began
    return Done(items, seconds * items / max(1, items - first))


def _require_ready(lanes: Lanes) -> None:
    problem = lanes.unready()
    assert problem is None, problem


WORK = {"copy": copy, "apply": apply, "validate": validate, "settle": settle}


async def measured(work: str, url: str, items: int) -> dict[str, float]:
    """The figures of one piece of work."""
    async with open_app(settings_of(url)) as app:
        cpu = time.process_time()
        done = await WORK[work](app, items)
        return figures(done.items, time.process_time() - cpu, done.seconds)


def figures(items: int, cpu: float, seconds: float) -> dict[str, float]:
    """Microseconds of CPU for an item, items per second, and the peak memory of the process in MB."""
    return {"items": items, "cpu_us": cpu / items * 1e6, "items_per_second": items / seconds, "peak_mb": peak_mb()}


def peak_mb() -> float:
    """The peak memory of this process. Where there is ``/proc``, that of its parent before the fork does not count."""
    status = Path("/proc/self/status")
    if status.exists():
        line = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM:"))
        return int(line.split()[1]) / 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main() -> None:
    """Do one piece of work and print its figures."""
    work, url, items = sys.argv[1:]
    use_local_credentials()
    print(json.dumps(asyncio.run(measured(work, url, int(items)))))


if __name__ == "__main__":
    main()
