"""The benchmark does the work that it says it measures, on a size that takes no time."""

import asyncio
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from bench import site
from bench.boto.stream import client
from bench.facts import Facts, against, share
from bench.goals import GOALS, Goal, table
from bench.items import many_items
from bench.kept import Found, keep, kept
from bench.loader import load, recorded, statements_in
from bench.measure import PROGRAMS, WORK, Run, measured
from bench.page import PARTS, page
from bench.parts.comparison import HEAD, note_ratios, rows
from bench.readme import PAGE, README, filled, sentences
from bench.servers import memory_server
from service.core.rules.guarded import copy_write
from tests.fakes.servers import dynamodb_local_for_tests

ITEMS = 200


@dataclass(frozen=True)
class Measured:
    """Every program's runs, and the writes that tablesplit has sent in its stream apply."""

    runs: list[Run]
    record: Path


@pytest.fixture(scope="module")
def own_server() -> Iterator[str]:
    """A server of its own: the benchmark's tables have the packaged mapping's names."""
    with pytest.MonkeyPatch.context() as environment, dynamodb_local_for_tests() as url:
        environment.setenv("AWS_ACCESS_KEY_ID", "local")
        environment.setenv("AWS_SECRET_ACCESS_KEY", "local")
        yield url


@pytest.fixture(scope="module")
def done(own_server: str, tmp_path_factory: pytest.TempPathFactory) -> Measured:
    site.make(own_server, site.Site())
    record = tmp_path_factory.mktemp("bench") / "record"
    with memory_server(ITEMS, own_server) as url:
        work = [(program, one) for one in WORK for program in PROGRAMS if (program, one) != ("ours", "apply")]
        runs = [measured(program, one, url, ITEMS) for program, one in work]
    with memory_server(ITEMS, own_server, record=record) as url:
        return Measured([*runs, measured("ours", "apply", url, ITEMS)], record)


@pytest.mark.local
def test_every_program_does_all_of_the_work(done: Measured) -> None:
    assert {run.figures["items"] for run in done.runs} == {ITEMS}
    facts = Facts()
    note_ratios(facts, done.runs, tuple(WORK))
    assert facts.keys() == {against(name, program) for name in WORK.values() for program in ("single", "batched")}
    lines = rows(done.runs, tuple(WORK))
    assert len(lines) == 2 + len(WORK)
    assert all(re.match(r"\| [a-z ]+ \| \d+ us \|", line) for line in lines[2:]), "bench.scale.costs reads this"


@pytest.mark.local
def test_the_recorded_writes_are_those_of_all_items_and_a_real_server_takes_them(
    done: Measured, own_server: str
) -> None:
    requests = recorded(done.record)
    assert sum(map(statements_in, requests)) == ITEMS
    site.make(own_server, site.Site(v2=ITEMS))
    assert asyncio.run(load(own_server, requests, connections=4)) > 0
    items = [item for name in site.mapping().tables for item in client(own_server).scan(TableName=name)["Items"]]
    assert len(items) == ITEMS
    assert {item["updated_at"]["S"] for item in items} == {"2018-01-01T00:00:00Z"}


@pytest.mark.local
@pytest.mark.slow
@pytest.mark.parametrize("program", PROGRAMS)
def test_changes_of_a_real_stream_arrive_on_v2(program: str, own_server: str) -> None:
    site.make(own_server, site.Site(old=30, v2=20))
    site.change(own_server, 30)
    assert measured(program, "apply", own_server, 30).figures["items"] == 30
    items = [item for name in site.mapping().tables for item in client(own_server).scan(TableName=name)["Items"]]
    assert len(items) == 30
    assert {item["updated_at"]["S"] for item in items} == {"2018-01-01T00:00:00Z"}


@pytest.mark.local
def test_the_memory_server_has_the_items_of_a_backfill(own_server: str) -> None:
    site.make(own_server, site.Site())
    expected = {name: [] for name in site.mapping().tables} | {site.mapping().old.table: list(many_items(ITEMS))}
    for item in many_items(ITEMS):
        copy = copy_write(site.mapping(), item, 1)
        expected[copy.table].append(copy.item)
    with memory_server(ITEMS, own_server) as url:
        for name, items in expected.items():
            pages = client(url).get_paginator("scan").paginate(TableName=name, Limit=70)
            found = [item for page in pages for item in page["Items"]]
            assert list(map(_without_hash, found)) == list(map(_without_hash, items))


def _without_hash(item: dict) -> dict:
    """The stamp's hash decides nothing; the server's is that of another id."""
    if "_sync" not in item:
        return item
    return {**item, "_sync": {"M": {name: value for name, value in item["_sync"]["M"].items() if name != "h"}}}


def test_items_past_the_data_set_are_different_ones() -> None:
    keys = [item["pk"]["S"] for item in many_items(9_500)]
    assert len(set(keys)) == 9_500


def test_a_goal_is_beside_what_was_reached() -> None:
    shown = table({share("backfill"): 0.9, against("backfill", "single"): 3.0})
    assert len(shown) == 2 + len(GOALS)
    assert any(line.endswith("| at least 85% | 90% | yes |") for line in shown)
    assert any(line.endswith("| at least 25.0 | 3.0 | no |") for line in shown)
    below = Goal("lag", "lag", 1.0, str, at_most=True)
    assert below.row({"lag": 1.5}).endswith("| at most 1.0 | 1.5 | no |")
    assert below.row({}).endswith("| not measured | |")


def test_the_readme_quotes_the_ratios_of_the_page() -> None:
    lines = [f"| {work} | 10 us | 20 us | 30 us | {n}.5 | {n}.0 | 1 | 1 | 1 |" for n, work in enumerate(WORK.values())]
    text = sentences("\n".join(page({"client": Found("2026-01-01", [*HEAD, *lines], {})})))
    assert ": backfill 0.5, stream apply 1.5, validation 2.5." in text
    assert ": backfill 0.0, stream apply 1.0, validation 2.0." in text
    assert max(map(len, text.splitlines())) <= 140, "tests/documents/test_language.py allows no wider line"


def test_the_readme_is_that_of_the_page_now() -> None:
    readme = README.read_text(encoding="utf-8")
    assert readme == filled(readme, PAGE.read_text(encoding="utf-8")), "run `make bench`"


def test_parts_that_were_measured_on_several_days_say_so() -> None:
    one, other = (Found(f"2026-01-0{day}", [], {share("backfill"): 0.9}) for day in (1, 2))
    assert "Measured on 2026-01-01." in page({"client": one, "tls": one})
    assert any(
        line.startswith("Measured on 2026-01-01: The client alone: ") for line in page({"client": one, "tls": other})
    )


def test_what_a_part_has_measured_last_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bench.kept.FILE", tmp_path / "build" / "bench.json")
    assert kept() == {}
    for share_of_backfill in (0.8, 0.9):
        keep("local", Found("2026-01-01", ["| a |"], {share("backfill"): share_of_backfill}))
    keep("dual", Found("2026-01-02", [], {}))
    assert (kept()["local"].facts, kept()["local"].lines, list(kept())) == (
        {share("backfill"): 0.9},
        ["| a |"],
        ["local", "dual"],
    )


def test_every_part_says_what_its_figures_mean() -> None:
    assert all(part.title and part.about for part in PARTS.values())
