"""The benchmark does the work that it says it measures, on a size that takes no time."""

from collections.abc import Iterator

import pytest

from bench.__main__ import WORK, measured, memory_server, table
from bench.items import many_items

ITEMS = 300


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with memory_server(ITEMS) as url:
        yield url


def test_both_do_all_of_the_work_and_give_a_table(server: str) -> None:
    runs = [(who, what, measured(who, what, server, ITEMS)) for what in WORK for who in ("ours", "plain")]
    assert {figures["items"] for _, _, figures in runs} == {ITEMS}
    assert len(table(runs)) == 2 + len(WORK)


def test_items_past_the_data_set_are_different_ones() -> None:
    keys = [item["pk"]["S"] for item in many_items(9_500)]
    assert len(set(keys)) == 9_500
