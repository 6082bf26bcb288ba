"""Everything the experiments come to, as one value: docs/scale/results.json, with a hash of what it was made from."""

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
"""Tables that take no time."""

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
    """tables and curves by name. inputs: the hash of what they were made from."""

    inputs: str
    tables: dict[str, Table]
    curves: dict[str, Curve]

    def to_json(self) -> dict[str, Any]:
        """As ``from_json`` reads it."""
        return asdict(self)

    @classmethod
    def from_json(cls, document: dict[str, Any]) -> "Results":
        """What ``to_json`` has written."""
        tables = {name: Table(**table) for name, table in document["tables"].items()}
        curves = {name: [(x, y) for x, y in curve] for name, curve in document["curves"].items()}
        return cls(document["inputs"], tables, curves)


def inputs() -> str:
    """A hash of the plans, the measured costs, DynamoDB's limits, and the constants of the backfill's own limits and windows."""
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
    """Run every experiment; a minute or two."""
    tables = {name: table() for name, table in ARITHMETIC.items()}
    curves: dict[str, Curve] = {}
    for name, table in SIMULATED.items():
        tables[name] = _told(name, table)
    tables["skew"] = _told("skew", lambda: _skew(curves))
    tables["bursts"] = _told("bursts", lambda: _bursts(curves))
    return Results(inputs(), tables, curves)


def _skew(curves: dict[str, Curve]) -> Table:
    found = {name: simulate_copy(plan) for name, plan in copy_experiments.SKEWS.items()}
    curves |= {f"copy: {name}": thinned(one.tally.course) for name, one in found.items()}
    return copy_experiments.skew_table(found)


def _bursts(curves: dict[str, Curve]) -> Table:
    found = sync_experiments.bursts()
    curves |= {f"sync: {tasks}": thinned(found[tasks].course) for tasks in sync_experiments.DRAWN}
    return sync_experiments.burst_table(found)


def _told(name: str, table: Callable[[], Table]) -> Table:
    began = time.perf_counter()
    made = table()
    print(f"{name}: {time.perf_counter() - began:.0f} s", file=sys.stderr, flush=True)
    return made
