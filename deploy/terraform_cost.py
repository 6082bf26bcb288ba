"""What a month of deploy/terraform costs by its defaults: quantities times the prices of a file.

``python -m deploy.terraform_cost [FILE]`` prints it.
"""

import sys
from dataclasses import dataclass
from pathlib import Path

import yaml

PRICES = Path(__file__).parent / "terraform" / "prices.yaml"
HOURS = 730
SECONDS = HOURS * 3600
LOG_GB = 1
"""An estimate: nothing else here depends on what is moved."""

RENEWALS, FAILOVER_SECONDS = 3, 10
ASSIGNMENT_SECONDS, DISCOVERY_SECONDS = 1, 0.475
REPORT_SECONDS = 30
"""KCL's: how often in failoverTimeMillis a lease is renewed; leaseAssignmentIntervalMillis, as tablesplit sets it, and what KCL
makes of it for each worker; how often a worker says its load, and the leader that it lives."""

SHARE_SECONDS, LANES, CONTROL_READS = 0.5, 2, 7
"""How often a worker says in each lane what it reads; what it reads of the control table a second beyond the embedded engine,
measured with two."""


@dataclass(frozen=True)
class Line:
    """So many units a month of what has a price."""

    what: str
    quantity: float
    unit: str
    price: str


def module_lines(*, tasks: int = 2, cpu_units: int = 1024, memory_mib: int = 2048, tables: int = 6) -> list[Line]:
    """The module's defaults; tables: those that have an alarm."""
    return [
        Line("tasks, vCPU", tasks * cpu_units / 1024 * HOURS, "vCPU-hours", "vcpu_hour"),
        Line("tasks, memory", tasks * memory_mib / 1024 * HOURS, "GB-hours", "memory_gb_hour"),
        Line("logs, taken in", LOG_GB, "GB, say", "log_gb"),
        Line("alarms: four, and one of two metrics for each table", 4 + 2 * tables, "metrics", "alarm_metric"),
        Line("dashboard", 1, "dashboard", "dashboard"),
        Line("errors in the logs", 2, "metrics", "custom_metric"),
        Line("API token", 1, "secret", "secret"),
    ]


def example_lines() -> list[Line]:
    """What the complete example adds."""
    return [
        Line("NAT gateway", HOURS, "hours", "nat_hour"),
        Line("its public address", HOURS, "hours", "public_ipv4_hour"),
    ]


def kcl_lines(*, tasks: int = 2, streams: int = 5, shards: int = 5) -> list[Line]:
    """What the kcl engine adds by the defaults, while nothing is written; shards: of all streams together."""
    leases = shards * RENEWALS / FAILOVER_SECONDS
    reports = streams * (tasks + 1) / REPORT_SECONDS
    # two tables are scanned by the leader, an index is asked by each worker; half a unit each
    looks = streams * (2 / ASSIGNMENT_SECONDS + tasks / DISCOVERY_SECONDS) / 2
    return [
        Line(f"leases of {shards} shards, renewed", _million(leases), "million writes", "write_million"),
        Line("KCL's workers and leaders, reported", _million(reports), "million writes", "write_million"),
        Line("KCL's searches for leases", _million(looks), "million reads", "read_million"),
        Line("what workers read, reported", _million(tasks * LANES / SHARE_SECONDS), "million writes", "write_million"),
        Line("what workers read, counted", _million(tasks * CONTROL_READS), "million reads", "read_million"),
    ]


def _million(a_second: float) -> float:
    return round(a_second * SECONDS / 1e6, 2)


def dollars(lines: list[Line], prices: dict[str, float]) -> float:
    """A month of all of them."""
    return sum(one.quantity * prices[one.price] for one in lines)


def cost_table(file: Path = PRICES) -> str:
    """The table of deploy/terraform/README.md; sums in whole dollars, because some quantities are estimates."""
    prices = yaml.safe_load(file.read_text(encoding="utf-8"))
    module, example, kcl = module_lines(), example_lines(), kcl_lines()
    total = dollars(module, prices)
    return "\n".join(
        [
            "| a month of | quantity | USD each | USD |",
            "|---|---|---|---|",
            *_rows([*module, *example], prices),
            f"| the module, about | | | {total:.0f} |",
            f"| with the example's network, about | | | {total + dollars(example, prices):.0f} |",
            *_rows(kcl, prices),
            f'| what `engine = "kcl"` adds, about | | | {dollars(kcl, prices):.0f} |',
        ]
    )


def _rows(lines: list[Line], prices: dict[str, float]) -> list[str]:
    return [
        f"| {one.what} | {one.quantity:g} {one.unit} | {prices[one.price]:g} | {one.quantity * prices[one.price]:.2f} |"
        for one in lines
    ]


if __name__ == "__main__":
    print(cost_table(*map(Path, sys.argv[1:2])))
