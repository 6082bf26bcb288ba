"""Whether memory stays the same however many items there are."""

from concurrent.futures import ThreadPoolExecutor

from bench import site
from bench.facts import Facts, growth
from bench.measure import WORK, measured
from bench.servers import memory_server
from service.rehearsal.servers.local_servers import dynamodb_local

SIZES = (10_000, 100_000, 1_000_000)
MEASURED = ("copy", "validate")
TITLE = "Peak memory of the process"


def run(facts: Facts) -> list[str]:
    """A row for each piece of work, and a column for each size. Both run at once: their memory is measured, not their time."""
    with dynamodb_local() as copying, dynamodb_local() as validating, ThreadPoolExecutor(len(MEASURED)) as threads:
        peaks = dict(zip(MEASURED, threads.map(_peaks, MEASURED, (copying, validating)), strict=True))
    for work, mb in peaks.items():
        facts[growth(WORK[work])] = mb[-1] / mb[0]
    return [
        f"| work | {' | '.join(f'{size:,} items' for size in SIZES)} | largest to smallest |",
        "|---|" + "---|" * len(SIZES) + "---|",
        *(
            f"| {WORK[work]} | {' | '.join(f'{one:.0f} MB' for one in mb)} | {mb[-1] / mb[0]:.2f} |"
            for work, mb in peaks.items()
        ),
    ]


def _peaks(work: str, other: str) -> list[float]:
    return [_peak(work, other, size) for size in SIZES]


def _peak(work: str, other: str, items: int) -> float:
    site.make(other, site.Site())
    with memory_server(items, other) as url:
        return measured("ours", work, url, items).figures["peak_mb"]
