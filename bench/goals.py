"""What the benchmark is to show, beside what it has shown."""

from collections.abc import Callable
from dataclasses import dataclass

from bench.facts import DUAL_FORWARD, DUAL_REVERSE, Facts, against, growth, lag, share, startup


@dataclass(frozen=True, slots=True)
class Goal:
    """A figure that is to be reached."""

    text: str
    fact: str
    """The name of the figure among the facts."""
    limit: float
    shown: Callable[[float], str]
    at_most: bool = False

    def row(self, facts: Facts) -> str:
        """A row of the table."""
        found = facts.get(self.fact)
        if found is None:
            return f"| {self.text} | {self._wanted()} | not measured | |"
        reached = found <= self.limit if self.at_most else found >= self.limit
        return f"| {self.text} | {self._wanted()} | {self.shown(found)} | {'yes' if reached else 'no'} |"

    def _wanted(self) -> str:
        return f"{'at most' if self.at_most else 'at least'} {self.shown(self.limit)}"


def _times(value: float) -> str:
    return f"{value:.1f}"


def _times_2(value: float) -> str:
    return f"{value:.2f}"


def _percent(value: float) -> str:
    return f"{value:.0%}"


def _seconds(value: float) -> str:
    return f"{value:.2f} s"


GOALS = [
    *(
        Goal(f"{work}: CPU of {program} boto3 to ours", against(work, program), ratio, _times)
        for work, program, ratio in (
            ("backfill", "single", 25),
            ("backfill", "batched", 8),
            ("stream apply", "single", 20),
            ("stream apply", "batched", 5),
            ("validation", "single", 8),
            (DUAL_FORWARD, "single", 8),
            (DUAL_REVERSE, "single", 8),
        )
    ),
    *(
        Goal(f"{work}: share of DynamoDB Local's raw ceiling", share(work), part, _percent)
        for work, part in (("backfill", 0.85), ("stream apply", 0.8), (DUAL_FORWARD, 0.6), (DUAL_REVERSE, 0.6))
    ),
    *(
        Goal(f"lag from end to end under the {rule} rule, p99", lag(rule), 1.0, _seconds, at_most=True)
        for rule in ("guarded", "ledger")
    ),
    *(
        Goal(f"{work}: peak memory for 1,000,000 items to that for 10,000", growth(work), 1.1, _times_2, at_most=True)
        for work in ("backfill", "validation")
    ),
    Goal("`tablesplit status`: CPU", startup("status"), 0.3, _seconds, at_most=True),
    Goal("`tablesplit --version`: CPU", startup("--version"), 0.1, _seconds, at_most=True),
]


def table(facts: Facts) -> list[str]:
    """The goals as a Markdown table."""
    return ["| figure | goal | reached | |", "|---|---|---|---|", *(goal.row(facts) for goal in GOALS)]
