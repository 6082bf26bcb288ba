"""What a month of deploy/terraform costs by its defaults: quantities times the prices of a file.

``python -m deploy.terraform_cost [FILE]`` prints it.
"""

import sys
from dataclasses import dataclass
from pathlib import Path

import yaml

PRICES = Path(__file__).parent / "terraform" / "prices.yaml"
HOURS = 730
LOG_GB = 1
"""An estimate: nothing else here depends on what is moved."""


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


def dollars(lines: list[Line], prices: dict[str, float]) -> float:
    """A month of all of them."""
    return sum(one.quantity * prices[one.price] for one in lines)


def cost_table(file: Path = PRICES) -> str:
    """The README's table; sums in whole dollars, because some quantities are estimates."""
    prices = yaml.safe_load(file.read_text(encoding="utf-8"))
    module, example = module_lines(), example_lines()
    rows = [
        f"| {one.what} | {one.quantity:g} {one.unit} | {prices[one.price]:g} | {one.quantity * prices[one.price]:.2f} |"
        for one in (*module, *example)
    ]
    total = dollars(module, prices)
    return "\n".join(
        [
            "| a month of | quantity | USD each | USD |",
            "|---|---|---|---|",
            *rows,
            f"| the module, about | | | {total:.0f} |",
            f"| with the example's network, about | | | {total + dollars(example, prices):.0f} |",
        ]
    )


if __name__ == "__main__":
    print(cost_table(*map(Path, sys.argv[1:2])))
