"""The forecast, against numbers worked out by hand."""

import asyncio
from collections import Counter
from dataclasses import replace

import pytest

from service.core.item.size import item_bytes
from service.core.item.wire import Item
from service.core.item.write import Put
from service.dynamodb.prices import Prices, read_prices
from service.migration.preflight.cost import cost_of
from service.migration.preflight.forecast import (
    Bound,
    Forecast,
    ForecastLimits,
    Sizes,
    dual_change,
    forecast,
    judge_retention,
    sizes_of,
)
from service.migration.preflight.sample import MappedSample, map_sample
from tests.builders.mappings import shop
from tests.builders.samples import mapped_sample
from tests.builders.small_crm import MAPPING, deal, lead
from tests.fakes.memory import MemoryDynamoDB

HOUR = 3600.0
ROUND = """
from: round figures
write_million: 2
read_million: 1
stream_100k: 0.1
storage_gb_month: 0.5
"""


def prices(more: str = "") -> Prices:
    return read_prices(ROUND + more, source="round.yaml")


def test_a_sample_of_four_stands_for_four_thousand() -> None:
    expected = forecast(mapped_sample(), 4000, ForecastLimits())
    assert (expected.items, expected.items_known) == (4000, True)
    assert (expected.base_write_units, expected.index_write_units) == (8000, 6000)
    assert expected.read_units == 1954  # 8,000,000 bytes / 4096, rounded up
    assert expected.v2_bytes == 1000 * (8400 + 4300 + 100 * (4 + 3))
    assert (expected.hottest, expected.hottest_share) == (("leads", "", "LEAD"), 1.0)
    assert expected.bounds == (Bound("hottest_partition_key", 6.0),)


def test_an_index_has_partition_keys_of_its_own() -> None:
    spread = Counter(
        {("leads", "", "a"): 3, ("leads", "", "b"): 3, ("leads", "GSI1", "x"): 4, ("leads", "GSI1", "y"): 2}
    )
    expected = forecast(mapped_sample(write_units=spread), 4000, ForecastLimits())
    assert expected.hottest == ("leads", "GSI1", "x")
    assert expected.hottest_share == pytest.approx(4 / 6)
    assert expected.binding == Bound("hottest_partition_key", 4.0)


@pytest.mark.parametrize(
    ("limits", "binding"),
    [
        (ForecastLimits(), Bound("hottest_partition_key", 6.0)),
        (ForecastLimits(write_units=100), Bound("max_write_units", 140.0)),  # 14,000 units, indexes included
        (ForecastLimits(write_units=10_000), Bound("hottest_partition_key", 6.0)),
        (ForecastLimits(read_units=10), Bound("max_read_units", 195.4)),
        (ForecastLimits(write_units=100, read_units=10), Bound("max_read_units", 195.4)),
    ],
)
def test_what_takes_longest_binds(limits: ForecastLimits, binding: Bound) -> None:
    assert forecast(mapped_sample(), 4000, limits).binding == binding


def test_a_sample_that_is_everything_needs_no_count() -> None:
    expected = forecast(mapped_sample(whole=True), 0, ForecastLimits())
    assert (expected.items, expected.items_known, expected.base_write_units) == (4, True, 8)


def test_a_count_below_the_sample_is_not_believed() -> None:
    expected = forecast(mapped_sample(), 3, ForecastLimits())
    assert (expected.items, expected.items_known) == (4, False)


def test_a_rejected_item_is_read_and_not_written() -> None:
    expected = forecast(mapped_sample(items=8, old_sizes=[4096] * 8), 8000, ForecastLimits())
    assert (expected.base_write_units, expected.read_units) == (8000, 8000)


def test_sizes_are_of_items_that_exist() -> None:
    assert sizes_of(range(1, 101)) == Sizes(50.5, 50, 95, 100)
    assert sizes_of([7]) == Sizes(7.0, 7, 7, 7)


@pytest.mark.parametrize(
    ("copy", "wanted", "verdict", "margin"),
    [
        (10 * HOUR, 4 * HOUR, "go", 14 * HOUR),
        (20 * HOUR, 4 * HOUR, "go", 4 * HOUR),
        (20 * HOUR + 1, 4 * HOUR, "no-go", 4 * HOUR - 1),
        (30 * HOUR, 4 * HOUR, "no-go", -6 * HOUR),
        (24 * HOUR, 0, "go", 0),
        (None, 4 * HOUR, "unknown", None),
    ],
)
def test_a_go_leaves_the_margin_of_the_streams_24_hours(
    copy: float | None, wanted: float, verdict: str, margin: float | None
) -> None:
    retention = judge_retention(copy, wanted)
    assert (retention.verdict, retention.margin_seconds) == (verdict, margin)


def expected(items: int = 1_000_000) -> Forecast:
    """The cost of a million items, each with 2 units in the base table, 1 in an index and half a unit for the read; 2 GB stored."""
    sizes = Sizes(1.0, 1, 1, 1)
    bounds = (Bound("hottest_partition_key", 1.0),)
    return Forecast(items, True, sizes, sizes, 2e6, 1e6, 5e5, 2 * 2**30, ("t", "", "k"), 1.0, bounds)


def test_money_is_told_apart_by_what_it_is_for() -> None:
    cost = cost_of(expected(), prices(), streams=5, poll_seconds=0.5)
    assert (cost.base_writes, cost.index_writes, cost.reads, cost.backfill) == (4.0, 2.0, 0.5, 6.5)
    assert (cost.v2_storage_month, cost.v2_recovery_month) == (1.0, None)
    assert cost.stream_reads_month == pytest.approx(25.92)  # 5 shards, 5,184,000 reads each in 30 days, 0.1 for 100,000
    assert cost.dual_running_month == pytest.approx(26.92)
    assert cost.million_changes == 6.0  # 3 units each
    assert cost.million_changes_in_dual == 13.0  # 5 units to write, 3 to read


def test_a_change_in_dual_takes_its_v2_item_and_the_ledger() -> None:
    change = dual_change(replace(expected(), v2_sizes=Sizes(5000.0, 1, 1, 1)))
    assert change.write_units == 5.0  # 2 of the table, 1 of an index, 2 of the ledger
    assert change.read_units == 4.0  # 5,000 bytes of v2 are 2, the ledger is read twice
    assert change.requests == pytest.approx(1.07)
    assert change.requests_alone == 5


def test_point_in_time_recovery_is_paid_where_the_file_has_a_price() -> None:
    cost = cost_of(expected(), prices("pitr_gb_month: 0.25\n"), streams=1, poll_seconds=1e9)
    assert cost.v2_recovery_month == 0.5
    assert cost.dual_running_month == pytest.approx(1.5, abs=1e-3)


async def sampled(*items: Item, sample: int = 100) -> MappedSample:
    db = MemoryDynamoDB()
    db.create_table("old", ("pk", "sk"))
    for item in items:
        db.apply(Put("old", item))
    return await map_sample(db, MAPPING, sample, asyncio.Event())


async def test_the_trial_counts_a_unit_for_each_kilobyte_and_again_for_each_index() -> None:
    big = lead("big", notes={"S": "x" * 1500})
    mapped_sample = await sampled(lead("a"), big, deal("c"))
    deals = sum(1 for _ in MAPPING.tables["deals"].indexes)
    assert (mapped_sample.items, mapped_sample.mapped, mapped_sample.whole) == (3, 3, True)
    assert mapped_sample.write_units["leads", "", "LEAD"] == 1 + 2
    assert {units for (table, index, _), units in mapped_sample.write_units.items() if table == "leads" and index} == {
        3
    }
    assert mapped_sample.index_entries == 2 * 2 + deals
    assert sum(mapped_sample.old_sizes) == item_bytes(lead("a")) + item_bytes(big) + item_bytes(deal("c"))


async def test_an_item_without_the_keys_of_an_index_takes_nothing_there() -> None:
    db = MemoryDynamoDB()
    db.create_table("shop", ("hash",))
    order = {"hash": {"S": "ORDER/c/1"}, "kind": {"S": "ORDER"}, "id": {"S": "1"}, "customer": {"S": "c"}}
    refund = {"hash": {"S": "REFUND/2"}, "kind": {"S": "REFUND"}, "id": {"S": "2"}}
    for item in (order, refund):
        db.apply(Put("shop", item))
    mapped_sample = await map_sample(db, shop(), 100, asyncio.Event())
    (table,) = shop().tables
    by_index = Counter(index for _, index, _ in mapped_sample.write_units)
    assert mapped_sample.mapped == 2
    assert {units for (_, index, _), units in mapped_sample.write_units.items() if index} == {1}
    assert (by_index[""], by_index["total"], mapped_sample.index_entries) == (2, 1, 1)
    assert {place[0] for place in mapped_sample.write_units} == {table}


async def test_a_sample_that_ends_before_the_table_is_not_the_whole() -> None:
    mapped_sample = await sampled(*(lead(f"{n}") for n in range(5)), sample=3)
    assert (mapped_sample.items, mapped_sample.whole) == (3, False)
