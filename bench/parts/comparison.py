"""Tables of tablesplit beside the two baselines, and of the ratios between them."""

from collections.abc import Sequence

from bench.facts import Facts, against
from bench.measure import WORK, Run, best

COLUMNS = ("tablesplit: CPU an item", "single boto3", "batched boto3", "against single", "against batched")
RATES = ("items/s", "single", "batched")
HEAD = [f"| work | {' | '.join(COLUMNS + RATES)} |", "|---" * (1 + len(COLUMNS + RATES)) + "|"]


def rows(runs: Sequence[Run], work: Sequence[str]) -> list[str]:
    """A Markdown table of the best runs, with a row for each piece of ``work``."""
    return [*HEAD, *(_row(runs, one) for one in work)]


def _row(runs: Sequence[Run], work: str) -> str:
    ours, single, batched = (best(program, work, runs) for program in ("ours", "single", "batched"))
    cpu = " | ".join(f"{one['cpu_us']:.0f} us" for one in (ours, single, batched))
    ratios = " | ".join(f"{one['cpu_us'] / ours['cpu_us']:.1f}" for one in (single, batched))
    rates = " | ".join(f"{one['items_per_second']:.0f}" for one in (ours, single, batched))
    return f"| {WORK[work]} | {cpu} | {ratios} | {rates} |"


def note_ratios(facts: Facts, runs: Sequence[Run], work: Sequence[str]) -> None:
    """Keep the ratios of the best runs."""
    for one in work:
        ours = best("ours", one, runs)["cpu_us"]
        for program in ("single", "batched"):
            facts[against(WORK[one], program)] = best(program, one, runs)["cpu_us"] / ours
