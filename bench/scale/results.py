"""The results of all experiments as one value, docs/scale/results.json, with a hash of what they were made from."""

import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from hashlib import sha256
from typing import Any

from backfill import throttle, window
from bench.scale import copy_experiments, limits, sync_experiments
from bench.scale.ceilings import ceilings_table
from bench.scale.copying import simulate_copy
from bench.scale.costs import DYNAMODB_LOCAL, measured
from bench.scale.tables import Curve, Table, thinned

ARITHMETIC: dict[str, Callable[[], Table]] = {
    "ceilings": ceilings_table,
    "cost": copy_experiments.cost_table,
    "one process": sync_experiments.one_process_table,
}
"""Tables that need no simulation."""

SIMULATED: dict[str, Callable[[], Table]] = {
    "tasks": copy_experiments.tasks_table,
    "budgets": copy_experiments.budget_table,
    "failures": copy_experiments.failures_table,
    "sharing": copy_experiments.sharing_table,
    "outages": sync_experiments.outage_table,
    "retention": sync_experiments.retention_table,
    "too few": sync_experiments.too_few_table,
}


@dataclass(frozen=True, slots=True)
class Results:
    """Tables and curves by name."""

    inputs: str
    """The hash of what they were made from."""
    tables: dict[str, Table]
    curves: dict[str, Curve]

    def to_json(self) -> dict[str, Any]:
        """The document that ``from_json`` reads."""
        return asdict(self)

    @classmethod
    def from_json(cls, document: dict[str, Any]) -> "Results":
        """The results in a document of ``to_json``."""
        tables = {name: Table(**table) for name, table in document["tables"].items()}
        curves = {name: [(x, y) for x, y in curve] for name, curve in document["curves"].items()}
        return cls(document["inputs"], tables, curves)


def inputs() -> str:
    """A hash of the plans, the measured costs, DynamoDB's limits, and the constants of the backfill's limits and windows."""
    plans = (
        *copy_experiments.SKEWS.items(),
        copy_experiments.by_request(8),
        sync_experiments.BASE,
        measured(DYNAMODB_LOCAL),
    )
    constants = [_constants(module) for module in (limits, throttle, window, copy_experiments, sync_experiments)]
    return sha256(repr((plans, constants)).encode()).hexdigest()


def _constants(module: Any) -> list[tuple[str, Any]]:
    plain = (int, float, tuple)
    return [
        (name, value) for name, value in sorted(vars(module).items()) if name.isupper() and isinstance(value, plain)
    ]


def simulated() -> Results:
    """Run every experiment; about ten minutes."""
    tables = {name: table() for name, table in ARITHMETIC.items()}
    curves: dict[str, Curve] = {}
    for name, table in SIMULATED.items():
        tables[name] = _timed(name, table)
    tables["skew"] = _timed("skew", lambda: _skew(curves))
    tables["bursts"] = _timed("bursts", lambda: _bursts(curves))
    return Results(inputs(), tables, curves)


def _skew(curves: dict[str, Curve]) -> Table:
    results = {name: simulate_copy(plan) for name, plan in copy_experiments.SKEWS.items()}
    curves |= {f"copy: {name}": thinned(result.tally.course) for name, result in results.items()}
    return copy_experiments.skew_table(results)


def _bursts(curves: dict[str, Curve]) -> Table:
    results = sync_experiments.bursts()
    curves |= {f"sync: {tasks}": thinned(results[tasks].course) for tasks in sync_experiments.DRAWN}
    return sync_experiments.burst_table(results)


def _timed(name: str, table: Callable[[], Table]) -> Table:
    """Make the table, and print how long that took."""
    began = time.perf_counter()
    made = table()
    print(f"{name}: {time.perf_counter() - began:.0f} s", file=sys.stderr, flush=True)
    return made
