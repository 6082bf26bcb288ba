"""The experiments with the backfill: skew, tasks, capacity, failures, and tasks that share one hot partition."""

from dataclasses import replace
from functools import cache
from math import ceil

from bench.scale.copy_plan import CopyPlan, CopyResult
from bench.scale.copying import simulate_copy
from bench.scale.costs import DYNAMODB_LOCAL, measured
from bench.scale.limits import (
    PARTITION_WRITE_UNITS_PER_SECOND,
    TABLE_WRITE_UNITS_PER_SECOND,
)
from bench.scale.partitions import Splitting, zipf
from bench.scale.tables import Table, percent, span
from service.dynamodb.prices import load_prices

BASE = CopyPlan()
ENTITIES = (0.7, 0.25, 0.04, 0.01)
"""The shares of a CRM's entities: leads, deals, resources, pipelines. The packaged mapping has one partition key for each."""
BUSY = 0.7
"""The share of a task's CPU that is planned with; the rest is a reserve for failures of other tasks."""

CRM = replace(BASE, shares=ENTITIES, send_seconds=5.0, bundle_windows=250)
SKEWS = {
    "100,000 keys, Zipf 0.8 (base)": BASE,
    "100,000 keys, Zipf 1.0": replace(BASE, shares=zipf(100_000, 1.0)),
    "4 keys: the packaged CRM mapping": CRM,
    "the same, each key split for heat after 30 min, up to 64 partitions": replace(CRM, splitting=Splitting(1800, 64)),
    "the same, each key in 64 shards by the mapping": replace(
        BASE, shares=tuple(share / 64 for share in ENTITIES for _ in range(64))
    ),
}
TASKS = (1, 2, 4, 6, 8, 16)
BUDGETS = (30_000.0, 60_000.0, 120_000.0, 240_000.0)
LIVES = (None, 3600.0, 600.0, 120.0)
SHARERS = (1, 8, 32, 128)


def by_request(tasks: int) -> CopyPlan:
    """All items on one partition key, window by window; all requests of a window wait for the limits at the same time."""
    return replace(
        BASE, items=900_000, shares=(1.0,), tasks=tasks, segments=8 * tasks, mean_life_seconds=None, start_seconds=0.0,
        write_units_per_second=1e6, send_seconds=600.0, slack_seconds=1.0, bundle_windows=1, by_request=True,
    )  # fmt: skip


@cache
def shared(tasks: int) -> CopyResult:
    """``tasks`` that share one hot partition."""
    return simulate_copy(by_request(tasks))


def partition_use(tasks: int) -> float:
    """The fraction of a hot partition's limit that so many tasks use."""
    return shared(tasks).plan.floor_seconds / shared(tasks).seconds


def at_that_use(plan: CopyPlan) -> float:
    """Seconds of the backfill if a hot partition is used only to the fraction that ``partition_use`` gives."""
    hottest = plan.items * plan.write_units * max(plan.shares) / PARTITION_WRITE_UNITS_PER_SECOND
    return max(plan.floor_seconds, 0.0 if plan.splitting else hottest / partition_use(plan.tasks))


def binding(result: CopyResult) -> str:
    """The limit that kept the backfill from being faster."""
    if result.cpu_share > 0.85:
        return "CPU"
    if result.waited.get("partition_throttled", 0.0) > result.waited.get("operator_write_limit", 0.0):
        return "hottest partition key"
    return "capacity budget"


def skew_table(results: dict[str, CopyResult]) -> Table:
    """Results by the skew of the partition keys."""
    head = [
        "v2 partition keys",
        "hottest",
        "at least, by arithmetic",
        "simulated",
        "with a hot partition used as below",
        "CPU busy",
        "bound by",
    ]
    return Table(head, [_skew_row(name, result) for name, result in results.items()])


def _skew_row(name: str, result: CopyResult) -> list[str]:
    hot = binding(result) == "hottest partition key"
    slow = span(at_that_use(result.plan)) if hot else "-"
    times = [span(result.plan.floor_seconds), span(result.seconds), slow]
    return [name, percent(max(result.plan.shares)), *times, percent(result.cpu_share), binding(result)]


def tasks_table() -> Table:
    """Results by number of tasks, for both measured costs."""
    slow = measured(DYNAMODB_LOCAL).copy_seconds
    rows = []
    for tasks in TASKS:
        fast, slow_result = (
            simulate_copy(replace(BASE, tasks=tasks, copy_seconds=cost)) for cost in (BASE.copy_seconds, slow)
        )
        rows.append(
            [
                str(tasks),
                span(fast.seconds),
                percent(fast.cpu_share),
                binding(fast),
                span(slow_result.seconds),
                binding(slow_result),
            ]
        )
    costs = [f"takes, at {cost * 1e6:.0f} us an item" for cost in (BASE.copy_seconds, slow)]
    return Table(["tasks", costs[0], "CPU busy", "bound by", costs[1], "bound by"], rows)


def tasks_for(units: float) -> int:
    """Tasks that use up a capacity budget of ``units`` per second, with some CPU left."""
    return ceil(units / (BASE.write_units * BASE.places) * BASE.copy_seconds / BUSY)


def budget_table() -> Table:
    """Results by capacity budget, with as many tasks as use it up."""
    rows = []
    for units in BUDGETS:
        result = simulate_copy(replace(BASE, write_units_per_second=units, tasks=tasks_for(units)))
        tables = units / BASE.places / TABLE_WRITE_UNITS_PER_SECOND
        rows.append(
            [
                f"{units:,.0f}",
                percent(tables),
                f"{result.items_per_second / 4:,.0f}",
                str(result.plan.tasks),
                span(result.seconds),
                binding(result),
            ]
        )
    head = ["write units/s, indexes included", "of one table's quota", "read units/s", "tasks", "takes", "bound by"]
    return Table(head, rows)


def failures_table() -> Table:
    """Results by how often tasks fail."""
    rows = []
    for life in LIVES:
        result = simulate_copy(replace(BASE, mean_life_seconds=life, bundle_windows=50))
        again = f"{result.tally.redone:,} ({result.tally.redone / result.plan.items:.2%})"
        frequency = "never" if life is None else f"every {span(life)}"
        rows.append(
            [frequency, str(result.tally.failures), span(result.tally.takeover_seconds), again, span(result.seconds)]
        )
    return Table(["a task fails", "failures", "slices idle, together", "items done again, at most", "takes"], rows)


def sharing_table() -> Table:
    """Results by number of tasks that share one hot partition, each with its own adaptive limits."""
    rows = []
    for tasks in SHARERS:
        result, used = shared(tasks), partition_use(tasks)
        rows.append(
            [
                str(tasks),
                percent(used),
                f"{result.tally.throttled / result.seconds / tasks:.2f}",
                span(result.first_done_seconds),
            ]
        )
    return Table(["tasks", "of the partition used", "shrinkings/s of a task", "first task done after"], rows)


def cost_table() -> Table:
    """The price of the backfill, which does not depend on its speed."""
    writes = BASE.items * BASE.write_units * BASE.places
    reads = BASE.items * BASE.item_bytes / 4096
    prices = load_prices(None)
    rows = [
        [
            "write units, in the table and each index",
            f"{writes:,.0f}",
            f"{prices.of_units(writes, 0):,.0f}",
        ],
        ["read units of the Scan", f"{reads:,.0f}", f"{prices.of_units(0, reads):,.0f}"],
    ]
    return Table(["backfill", "units", "US dollars, on demand"], rows)
