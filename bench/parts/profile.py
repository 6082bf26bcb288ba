"""Where the time of the client goes: what stands between its figures and the goals."""

from bench import site
from bench.facts import Facts
from bench.measure import WORK, note, printed_by
from bench.servers import memory_server
from service.rehearsal.servers.local_servers import dynamodb_local

ITEMS = 5_000
ROUNDS = 3
TITLE = "Where the client's time goes"


def run(_: Facts) -> list[str]:
    """What the mapping costs alone; then a row for each part of the program, and a column for each piece of work."""
    alone = [_alone(work) for work in WORK]
    with dynamodb_local() as other:
        site.make(other, site.Site())
        with memory_server(ITEMS, other) as url:
            found = {work: _shares(work, url) for work in WORK}
    parts = dict.fromkeys(part for shares in found.values() for part in shares)
    return [
        f"| CPU an item | {' | '.join(WORK.values())} |",
        "|---|" + "---|" * len(WORK),
        f"| the mapping alone | {' | '.join(f'{one:.0f} us' for one in alone)} |",
        "",
        f"| part | {' | '.join(WORK.values())} |",
        "|---|" + "---|" * len(WORK),
        *(f"| {part} | {' | '.join(f'{shares.get(part, 0):.0%}' for shares in found.values())} |" for part in parts),
    ]


def _alone(work: str) -> float:
    """The least of some runs."""
    return min(float(printed_by(["bench.alone", work, str(ITEMS)])) for _ in range(ROUNDS))


def _shares(work: str, url: str) -> dict[str, float]:
    shares: dict[str, float] = printed_by(["bench.shares", work, url, str(ITEMS)])
    note(f"profile of {work}")
    return shares
