"""Makes the tables of docs/SCALE.md and the charts of docs/scale/ from the results. The other text is written by hand."""

import re
from pathlib import Path

from bench.scale import sync_experiments
from bench.scale.chart import Axis, Line, chart
from bench.scale.copy_experiments import SKEWS
from bench.scale.results import Results
from service.core.shards import RETENTION_SECONDS

DOCS = Path(__file__).parents[2] / "docs"
PAGE, PICTURES = DOCS / "SCALE.md", DOCS / "scale"
RESULTS = PICTURES / "results.json"
MARKED = re.compile(r"(<!-- scale: (?P<name>[\w ]+), made by `make scale` -->\n).*?(<!-- end of scale -->)", re.DOTALL)
LABELS = (
    "100,000 keys, Zipf 0.8 (base)",
    "100,000 keys, Zipf 1.0",
    "4 keys (CRM mapping): 8 days",
    "4 keys, split for heat",
    "4 keys in 64 shards",
)
NOT_DRAWN = LABELS[-1]
"""Its curve cannot be distinguished from that of the base."""


def filled(page: str, results: Results) -> str:
    """The page with its tables filled in. Raises KeyError for a marked table that was not made."""
    return MARKED.sub(lambda mark: "\n".join([mark[1].rstrip(), "", *_lines(mark["name"], results), "", mark[3]]), page)


def _lines(name: str, results: Results) -> list[str]:
    return results.tables[name].markdown()


def pictures(results: Results) -> dict[str, str]:
    """The charts, by file name."""
    return {"backfill.svg": backfill_chart(results), "lag.svg": lag_chart(results)}


def backfill_chart(results: Results) -> str:
    """Items copied, over time."""
    days = [(hours * 3600.0, str(hours)) for hours in (0, 4, 8, 12, 16, 20, 24)]
    copied = [(items * 1e6, f"{items:,}") for items in (0, 250, 500, 750, 1000)]
    names = zip(LABELS, SKEWS, strict=True)
    lines = [Line(label, results.curves[f"copy: {name}"]) for label, name in names if label != NOT_DRAWN]
    return chart(
        "Backfill of a billion items, 8 tasks", Axis("hours", days), Axis("million items copied", copied), lines
    )


def lag_chart(results: Results) -> str:
    """The lag of the shard that is furthest behind, over time, with a burst."""
    hours = [(hour * 3600.0, str(hour)) for hour in range(9)]
    lags = [
        (1.0, "under 1 s"),
        (10.0, "10 s"),
        (60.0, "1 min"),
        (600.0, "10 min"),
        (3600.0, "1 h"),
        (RETENTION_SECONDS * 1.0, "24 h"),
    ]
    lines = [Line(f"{tasks} tasks", results.curves[f"sync: {tasks}"]) for tasks in sync_experiments.DRAWN]
    ends = [(0.0, RETENTION_SECONDS * 1.0), (8 * 3600.0, RETENTION_SECONDS * 1.0)]
    title = "Sync of 500 shards: 5,000 changes/s, four times that from 1 h to 1.5 h"
    across, up = Axis("hours", hours), Axis("worst shard's lag", lags, log=True)
    return chart(title, across, up, [*lines, Line("retention: trimmed above", ends, dashed=True)])
