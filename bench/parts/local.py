"""DynamoDB Local: all programs on a server that really stores, and how much of what it can do at all tablesplit gets out of it."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bench import site
from bench.facts import Facts, ceiling, share
from bench.measure import WORK, Figures, Run, measured, note, printed_by
from bench.parts.comparison import rows
from bench.servers import memory_server
from service.rehearsal.servers.local_servers import dynamodb_local

ITEMS, SINGLE, BATCHED = 2_000, 300, 600
ROUNDS = 2
WARM = 300
CONNECTIONS = 16
"""Of the loader: as many as a backfill has requests at once."""

WRITING = ("copy", "apply")
TITLE = f"DynamoDB Local, {ITEMS:,} items"


def run(facts: Facts) -> list[str]:
    """The table of the comparison, and that of the ceilings."""
    with tempfile.TemporaryDirectory() as folder:
        records = {work: _record(work, Path(folder) / work) for work in WRITING}
        runs, ceilings = list[Run](), list[Run]()
        for _ in range(ROUNDS):
            runs += _ours()
            ceilings += [_ceiling(work, file) for work, file in records.items()]
    runs += _boto("single", SINGLE) + _boto("batched", BATCHED)
    return [*rows(runs, tuple(WORK)), "", *_shares(facts, runs, ceilings)]


@contextmanager
def _server() -> Iterator[str]:
    """A server of its own for one program: each write costs DynamoDB Local more, the more records its streams have had, of deleted
    tables too. It has written some items, as a server does that has been in use."""
    with dynamodb_local() as url:
        site.make(url, site.Site(v2=WARM))
        yield url


def _shares(facts: Facts, runs: list[Run], ceilings: list[Run]) -> list[str]:
    lines = ["| work | tablesplit | raw ceiling | share | the loader's own CPU |", "|---|---|---|---|---|"]
    for work in WRITING:
        ours, raw = _fastest(work, runs), _fastest(work, ceilings)
        facts[ceiling(WORK[work])] = raw["items_per_second"]
        facts[share(WORK[work])] = ours["items_per_second"] / raw["items_per_second"]
        rates = f"{ours['items_per_second']:.0f}/s | {raw['items_per_second']:.0f}/s"
        lines.append(f"| {WORK[work]} | {rates} | {facts[share(WORK[work])]:.0%} | {raw['cpu_us']:.0f} us an item |")
    return lines


def _fastest(work: str, runs: list[Run]) -> Figures:
    found = [run.figures for run in runs if run.work == work and run.program in ("ours", "loader")]
    return max(found, key=lambda figures: figures["items_per_second"])


def _ours() -> list[Run]:
    with _server() as url:
        site.make(url, site.Site(old=ITEMS))
        runs = [measured("ours", work, url, ITEMS) for work in ("copy", "validate")]
        measured("ours", "settle", url, ITEMS)
        site.change(url, ITEMS)
        return [*runs, measured("ours", "apply", url, ITEMS)]


def _boto(program: str, items: int) -> list[Run]:
    with _server() as url:
        site.make(url, site.Site(old=items))
        runs = [measured(program, work, url, items) for work in ("copy", "validate")]
        site.change(url, items)
        return [*runs, measured(program, "apply", url, items)]


def _record(work: str, file: Path) -> Path:
    """The requests that write the items, as tablesplit sends them. What is written goes nowhere."""
    with dynamodb_local() as url:
        site.make(url, site.Site(v2=ITEMS))
        with memory_server(ITEMS, url, record=file) as memory:
            measured("ours", work, memory, ITEMS)
    return file


def _ceiling(work: str, file: Path) -> Run:
    """What the server makes of these requests when nothing else is done."""
    with _server() as url:
        site.make(url, site.Site(v2=ITEMS if work == "apply" else 0))
        figures: Figures = printed_by(["bench.loader", url, str(file), str(CONNECTIONS)])
    note(f"{'ceiling':8}{work:10}{figures['items']:9.0f} items {figures['items_per_second']:8.0f} items/s")
    return Run("loader", work, figures)
