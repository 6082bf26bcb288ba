"""docs/SCALE.md and its charts are what ``make scale`` makes, of the costs that docs/BENCH.md has now."""

import json
from xml.etree import ElementTree as ET

import pytest

from bench.scale.ceilings import ceilings
from bench.scale.costs import BENCH, CLIENT_ALONE, SETTLE_SECONDS_PER_SHARD, measured
from bench.scale.page import MARKED, PAGE, PICTURES, RESULTS, filled, pictures
from bench.scale.results import ARITHMETIC, Results, inputs
from bench.scale.settling import known_shards, seconds_per_check
from bench.scale.sync_experiments import too_few_table


@pytest.fixture(scope="module")
def results() -> Results:
    return Results.from_json(json.loads(RESULTS.read_text(encoding="utf-8")))


def test_the_results_were_made_of_the_plans_costs_and_limits_of_now(results: Results) -> None:
    assert results.inputs == inputs(), "run `make scale`"


def test_the_page_has_the_results_tables_all_of_them(results: Results) -> None:
    page = PAGE.read_text(encoding="utf-8")
    assert page == filled(page, results), "run `make scale`"
    assert {mark["name"] for mark in MARKED.finditer(page)} == set(results.tables)


def test_the_charts_are_of_the_results(results: Results) -> None:
    for name, picture in pictures(results).items():
        assert (PICTURES / name).read_text(encoding="utf-8") == picture, "run `make scale`"
        assert ET.fromstring(picture).tag.endswith("svg")


@pytest.mark.parametrize("name", ARITHMETIC)
def test_a_table_of_arithmetic_is_made_again_as_it_was(name: str, results: Results) -> None:
    assert ARITHMETIC[name]() == results.tables[name]


def test_a_simulated_table_is_made_again_as_it_was(results: Results) -> None:
    assert too_few_table() == results.tables["too few"]


def test_the_costs_are_those_of_the_benchmark() -> None:
    text = BENCH.read_text(encoding="utf-8")
    costs = measured(CLIENT_ALONE)
    assert f"| backfill | {costs.copy_seconds * 1e6:.0f} us |" in text
    assert f"| stream apply | {costs.apply_seconds * 1e6:.0f} us |" in text


def test_a_look_goes_over_every_known_shard() -> None:
    assert len(known_shards(3)) == 3 * 13
    assert 0.1 < seconds_per_check(100) / len(known_shards(100)) / SETTLE_SECONDS_PER_SHARD < 20


def test_the_nearest_limit_comes_first() -> None:
    used = [one.used for one in ceilings()]
    assert used == sorted(used, reverse=True)
    assert ceilings()[0].name.startswith("hottest v2 partition key")
