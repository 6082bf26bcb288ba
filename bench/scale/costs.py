"""The CPU that a piece of work costs, read from docs/BENCH.md, which ``make bench`` writes."""

import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path

BENCH = Path(__file__).parents[2] / "docs" / "BENCH.md"
CLIENT_ALONE, DYNAMODB_LOCAL = "The client alone", "DynamoDB Local"

REQUEST_SECONDS = 75e-6
"""CPU of one small request and its answer (docs/DESIGN.md, section 11: measured for a conditional put)."""

SETTLE_SECONDS_PER_SHARD = 0.25e-6
"""CPU for each known shard of one check whether a round is complete: ``python -m bench.scale.settling`` measures it."""


@dataclass(frozen=True, slots=True)
class Costs:
    """Seconds of CPU for copying an item, and for applying a change."""

    copy_seconds: float
    apply_seconds: float


@cache
def measured(section: str = CLIENT_ALONE) -> Costs:
    """The costs in one section of docs/BENCH.md. ``section``: the beginning of its title."""
    text = BENCH.read_text(encoding="utf-8").split(f"\n## {section}")[1].split("\n## ")[0]
    return Costs(_seconds(text, "backfill"), _seconds(text, "stream apply"))


def _seconds(text: str, work: str) -> float:
    row = re.search(rf"^\| {work} \| (\d+) us \|", text, re.MULTILINE)
    assert row is not None, f"docs/BENCH.md has no row for {work}"
    return int(row.group(1)) / 1e6
