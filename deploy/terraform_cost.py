"""The monthly cost of deploy/terraform with its defaults: quantities times the prices of a file.

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
"""An estimate. Nothing else here depends on the amount of data that is moved."""

RENEWALS, FAILOVER_SECONDS = 3, 10
ASSIGNMENT_SECONDS, DISCOVERY_SECONDS = 1, 0.475
REPORT_SECONDS = 30
"""Of KCL: renewals of a lease within failoverTimeMillis; leaseAssignmentIntervalMillis as tablesplit sets it, and the interval that
each worker derives from it; how often a worker reports its load, and the leader that it is alive."""

SHARE_SECONDS, LANES, CONTROL_READS = 0.5, 2, 7
"""How often a worker reports in each lane which shards it reads; reads of the control table per second in addition to those of the
embedded engine, measured with two workers."""


@dataclass(frozen=True)
class Line:
    """One item of the bill."""

    label: str
    quantity: float
    """Units a month."""
    unit: str
    price: str
    """Its name in the price file."""


def module_lines(*, tasks: int = 2, cpu_units: int = 1024, memory_mib: int = 2048, tables: int = 6) -> list[Line]:
    """The module with its defaults. tables: how many have an alarm."""
    return [
        Line("tasks, vCPU", tasks * cpu_units / 1024 * HOURS, "vCPU-hours", "vcpu_hour"),
        Line("tasks, memory", tasks * memory_mib / 1024 * HOURS, "GB-hours", "memory_gb_hour"),
        Line("logs, taken in", LOG_GB, "GB, say", "log_gb"),
        Line("alarms: thirteen, and one of two metrics for each table", 13 + 2 * tables, "metrics", "alarm_metric"),
        Line("dashboard", 1, "dashboard", "dashboard"),
        Line("errors in the logs", 2, "metrics", "custom_metric"),
        Line("metrics of the migration", 9, "metrics", "custom_metric"),
        Line("API token", 1, "secret", "secret"),
    ]


def example_lines() -> list[Line]:
    """The lines that the complete example adds."""
    return [
        Line("NAT gateway", HOURS, "hours", "nat_hour"),
        Line("its public address", HOURS, "hours", "public_ipv4_hour"),
    ]


def kcl_lines(*, tasks: int = 2, streams: int = 5, shards: int = 5) -> list[Line]:
    """The lines that the kcl engine adds with its defaults, while nothing is written. shards: of all streams together."""
    leases = shards * RENEWALS / FAILOVER_SECONDS
    reports = streams * (tasks + 1) / REPORT_SECONDS
    # the leader scans two tables, and each worker queries an index; half a unit each
    lease_reads = streams * (2 / ASSIGNMENT_SECONDS + tasks / DISCOVERY_SECONDS) / 2
    return [
        Line(f"leases of {shards} shards, renewed", _million(leases), "million writes", "write_million"),
        Line("KCL's workers and leaders, reported", _million(reports), "million writes", "write_million"),
        Line("KCL's reads of leases", _million(lease_reads), "million reads", "read_million"),
        Line("workers' reports, written", _million(tasks * LANES / SHARE_SECONDS), "million writes", "write_million"),
        Line("workers' reports, read", _million(tasks * CONTROL_READS), "million reads", "read_million"),
    ]


def _million(per_second: float) -> float:
    """Millions a month."""
    return round(per_second * SECONDS / 1e6, 2)


def dollars(lines: list[Line], prices: dict[str, float]) -> float:
    """The cost of a month of all ``lines``, in US dollars."""
    return sum(line.quantity * prices[line.price] for line in lines)


def cost_table(file: Path = PRICES) -> str:
    """The table of deploy/terraform/README.md. Sums are in whole dollars, because some quantities are estimates."""
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
        f"| {line.label} | {line.quantity:g} {line.unit} | {prices[line.price]:g} | {line.quantity * prices[line.price]:.2f} |"
        for line in lines
    ]


if __name__ == "__main__":
    print(cost_table(*map(Path, sys.argv[1:2])))
