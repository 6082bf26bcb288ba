"""The experiments with the sync: tasks in a burst, one process, failed tasks, and when the lag exceeds the retention."""

from dataclasses import replace

from bench.scale.changes import simulate_sync
from bench.scale.sync_plan import Burst, Outage, SyncPlan, SyncResult
from bench.scale.tables import Table, percent, span

BASE = SyncPlan(tasks=12)
BURST = Burst(begin=3600.0, seconds=1800.0, factor=4.0)
TASKS = (1, 2, 3, 4, 6, 8, 12)
DRAWN = (2, 3, 4, 6, 8, 12)
ONE_PROCESS = (50, 100, 200, 300, 400, 500)
OUTAGES = (10.0, 60.0, 600.0, 3600.0)
LONG_OUTAGES = (4, 8, 12, 16, 23)
TOO_FEW = (1, 2, 3)
BEGIN = 3600.0


def bursts() -> dict[int, SyncResult]:
    """By number of tasks: four times as many changes for half an hour."""
    return {
        tasks: simulate_sync(replace(BASE, tasks=tasks, burst=BURST, hours=8.0, step_seconds=10.0)) for tasks in TASKS
    }


def burst_table(results: dict[int, SyncResult]) -> Table:
    """The results of the burst."""
    rows = []
    for tasks, result in results.items():
        plan, caught = result.plan, result.caught_up_seconds(BURST.begin)
        lag = lag_text(result) if plan.load < 1 else "grows"
        rows.append(
            [str(tasks), f"{plan.capacity:,.0f}", f"{plan.load:.0%}" if plan.capacity > 1 else "-", lag,
             span(caught) if caught is not None else f"not within {plan.hours:.0f} h"]
        )  # fmt: skip
    return Table(
        ["tasks", "changes/s they can apply", "average load", "worst lag", "caught up, after the burst began"], rows
    )


def lag_text(result: SyncResult) -> str:
    """The greatest lag as text. Lags below one step of the simulation are not distinguished."""
    step = result.plan.step_seconds
    return f"under {step:.0f} s" if result.worst_lag_seconds < step else span(result.worst_lag_seconds)


def one_process_table() -> Table:
    """The capacity of the embedded engine's one process, by number of shards."""
    plans = [replace(BASE, shards=shards, tasks=1) for shards in ONE_PROCESS]
    rows = [
        [str(plan.shards), percent(plan.requests_cpu), percent(plan.looks_cpu), f"{plan.capacity:,.0f}"]
        for plan in plans
    ]
    return Table(["shards", "CPU for requests", "CPU for looks", "changes/s it can apply"], rows)


def outage_table() -> Table:
    """The results of a failed task, with few tasks and with the base's."""
    rows = []
    for seconds in OUTAGES:
        results = [simulate_sync(failed(tasks, seconds)) for tasks in (4, BASE.tasks)]
        cells = [(lag_text(result), span(result.caught_up_seconds(BEGIN + seconds))) for result in results]
        rows.append([span(seconds), *cells[0], *cells[1], f"{results[1].redone:,.0f}"])
    names = [f"{name}, {tasks} tasks" for tasks in (4, BASE.tasks) for name in ("worst lag", "caught up after")]
    return Table(["a task is away", *names, "changes applied again"], rows)


def failed(tasks: int, seconds: float) -> SyncPlan:
    """One of ``tasks`` is away for ``seconds``."""
    return replace(BASE, tasks=tasks, outage=Outage(BEGIN, seconds), hours=4.0)


def everything_off(hours: float, tasks: int) -> SyncPlan:
    """No task runs for ``hours``."""
    return replace(
        BASE, tasks=tasks, outage=Outage(BEGIN, hours * 3600, all_tasks=True), hours=60.0, step_seconds=180.0
    )


def retention_table() -> Table:
    """How long all tasks may be away."""
    rows = []
    for hours in LONG_OUTAGES:
        results = (_off(hours, 4), _off(hours, BASE.tasks))
        cells = [[off_text(result), span(result.worst_lag_seconds)] for result in results]
        rows.append([f"{hours} h", *cells[0], *cells[1]])
    names = [f"{name}, {tasks} tasks" for tasks in (4, BASE.tasks) for name in ("then", "worst lag")]
    return Table(["nothing runs for", *names], rows)


def _off(hours: int, tasks: int) -> SyncResult:
    return simulate_sync(everything_off(hours, tasks))


def off_text(result: SyncResult) -> str:
    """The end of an outage, as text."""
    outage = result.plan.outage
    assert outage is not None
    end = outage.begin + outage.seconds
    if result.trimmed_seconds is not None:
        return f"changes are trimmed {span(result.trimmed_seconds - outage.begin)} after it began"
    return f"caught up after {span(result.caught_up_seconds(end))}"


def too_few_table() -> Table:
    """When the lag exceeds the retention, with too few tasks for the average load."""
    rows = []
    for tasks in TOO_FEW:
        plan = replace(BASE, tasks=tasks, hours=120.0, step_seconds=120.0)
        result = simulate_sync(plan)
        rows.append([str(tasks), f"{plan.capacity:,.0f}", span(result.trimmed_seconds), span(result.worst_lag_seconds)])
    return Table(["tasks", "changes/s they can apply", "changes are trimmed after", "worst lag within 5 d"], rows)
