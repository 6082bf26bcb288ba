"""The backfill's experiments: skew, tasks, capacity, failures, and how many tasks share one hot partition."""

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
from bench.scale.partitions import Splitting
from bench.scale.skew import zipf
from bench.scale.tables import Table, percent, span
from service.dynamodb.prices import load_prices

BASE = CopyPlan()
ENTITIES = (0.7, 0.25, 0.04, 0.01)
"""Of a CRM: leads, deals, resources, pipelines. The packaged mapping has one partition key for each."""
BUSY = 0.7
"""Of a task's CPU: what is planned with, so that there is some left when others fail."""

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
    """Everything on one partition key, window by window, and all requests of a window waiting for the limits at the same time."""
    return replace(
        BASE, items=900_000, shares=(1.0,), tasks=tasks, segments=8 * tasks, mean_life_seconds=None, start_seconds=0.0,
        write_units_per_second=1e6, send_seconds=600.0, slack_seconds=1.0, bundle_windows=1, by_request=True,
    )  # fmt: skip


@cache
def shared(tasks: int) -> CopyResult:
    """So many tasks at one hot partition."""
    return simulate_copy(by_request(tasks))


def partition_use(tasks: int) -> float:
    """Of what a hot partition takes, how much so many tasks use."""
    return shared(tasks).plan.floor_seconds / shared(tasks).seconds


def at_that_use(plan: CopyPlan) -> float:
    """Seconds that it takes when a hot partition is used as little as ``partition_use`` says."""
    hottest = plan.items * plan.write_units * max(plan.shares) / PARTITION_WRITE_UNITS_PER_SECOND
    return max(plan.floor_seconds, 0.0 if plan.splitting else hottest / partition_use(plan.tasks))


def binding(result: CopyResult) -> str:
    """What kept it from going faster."""
    if result.cpu_share > 0.85:
        return "CPU"
    if result.waited.get("partition_throttled", 0.0) > result.waited.get("operator_write_limit", 0.0):
        return "hottest partition key"
    return "capacity budget"


def skew_table(results: dict[str, CopyResult]) -> Table:
    """Whatever the partition keys are."""
    head = [
        "v2 partition keys",
        "hottest",
        "at least, by arithmetic",
        "simulated",
        "with a hot partition used as below",
        "CPU busy",
        "bound by",
    ]
    return Table(head, [_skew_row(name, one) for name, one in results.items()])


def _skew_row(name: str, one: CopyResult) -> list[str]:
    hot = binding(one) == "hottest partition key"
    slow = span(at_that_use(one.plan)) if hot else "-"
    times = [span(one.plan.floor_seconds), span(one.seconds), slow]
    return [name, percent(max(one.plan.shares)), *times, percent(one.cpu_share), binding(one)]


def tasks_table() -> Table:
    """However many tasks, by either measured cost."""
    slow = measured(DYNAMODB_LOCAL).copy_seconds
    rows = []
    for tasks in TASKS:
        one, other = (
            simulate_copy(replace(BASE, tasks=tasks, copy_seconds=cost)) for cost in (BASE.copy_seconds, slow)
        )
        rows.append(
            [str(tasks), span(one.seconds), percent(one.cpu_share), binding(one), span(other.seconds), binding(other)]
        )
    costs = [f"takes, at {cost * 1e6:.0f} us an item" for cost in (BASE.copy_seconds, slow)]
    return Table(["tasks", costs[0], "CPU busy", "bound by", costs[1], "bound by"], rows)


def tasks_for(units: float) -> int:
    """Tasks that use a budget up, with some CPU left."""
    return ceil(units / (BASE.write_units * BASE.places) * BASE.copy_seconds / BUSY)


def budget_table() -> Table:
    """Whatever capacity there is, with as many tasks as use it up."""
    rows = []
    for units in BUDGETS:
        one = simulate_copy(replace(BASE, write_units_per_second=units, tasks=tasks_for(units)))
        tables = units / BASE.places / TABLE_WRITE_UNITS_PER_SECOND
        rows.append(
            [
                f"{units:,.0f}",
                percent(tables),
                f"{one.items_per_second / 4:,.0f}",
                str(one.plan.tasks),
                span(one.seconds),
                binding(one),
            ]
        )
    head = ["write units/s, indexes included", "of one table's quota", "read units/s", "tasks", "takes", "bound by"]
    return Table(head, rows)


def failures_table() -> Table:
    """However often tasks fail."""
    rows = []
    for life in LIVES:
        one = simulate_copy(replace(BASE, mean_life_seconds=life, bundle_windows=50))
        again = f"{one.tally.redone:,} ({one.tally.redone / one.plan.items:.2%})"
        told = "never" if life is None else f"every {span(life)}"
        rows.append([told, str(one.tally.failures), span(one.tally.takeover_seconds), again, span(one.seconds)])
    return Table(["a task fails", "failures", "slices idle, together", "items done again, at most", "takes"], rows)


def sharing_table() -> Table:
    """However many tasks share one hot partition, each with adaptive limits of its own."""
    rows = []
    for tasks in SHARERS:
        one, used = shared(tasks), partition_use(tasks)
        rows.append(
            [
                str(tasks),
                percent(used),
                f"{one.tally.throttled / one.seconds / tasks:.2f}",
                span(one.first_done_seconds),
            ]
        )
    return Table(["tasks", "of the partition used", "shrinkings/s of a task", "first task done after"], rows)


def cost_table() -> Table:
    """What DynamoDB asks for, whatever the speed."""
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
