"""Warm throughput: what CreateTable is asked for, and what it costs."""

import pytest

from service.core.mapping.mapping import Mapping
from service.dynamodb.like_old import LikeOld, with_extras
from service.dynamodb.prices import load_prices, read_prices
from service.dynamodb.table_description import create_table_request
from service.dynamodb.table_features import Warm
from service.dynamodb.tables import Tables
from service.migration.warm import WarmPrice, dollars_of
from tests.builders.small_crm import MAPPING
from tests.fakes.clocks import VirtualClock


async def requests(mapping: Mapping, warm: Warm | None) -> dict[str, dict[str, object]]:
    """The CreateTable requests of plain tables, by name."""
    tables = Tables(None, None, VirtualClock(), mapping, "control")  # type: ignore[arg-type] # nothing is sent
    like = LikeOld(everything=False, warm=warm)
    made = await with_extras(None, None, mapping, tables.wanted(), like, "")  # type: ignore[arg-type] # nothing is read
    return {table.name: create_table_request(table) for table in made}


async def test_each_v2_table_and_index_is_warmed_and_not_the_control_table() -> None:
    asked = await requests(MAPPING, Warm(writes=40_000))
    wanted = {"WriteUnitsPerSecond": 40_000}
    for name in MAPPING.tables:
        assert asked[name]["WarmThroughput"] == wanted
        indexes = asked[name]["GlobalSecondaryIndexes"]
        assert isinstance(indexes, list)
        assert [index["WarmThroughput"] for index in indexes] == [wanted] * len(indexes)
    assert "WarmThroughput" not in asked["control"]


async def test_without_the_option_nothing_is_asked_for() -> None:
    assert "WarmThroughput" not in str(await requests(MAPPING, None))


def test_only_what_is_above_a_new_table_s_own_is_paid_for_each_place() -> None:
    warm = Warm(reads=40_000, writes=40_000)
    assert dollars_of(warm, 3, load_prices(None)) == pytest.approx(3 * (36_000 * 0.00065 + 28_000 * 0.00013))
    assert dollars_of(Warm(writes=5_000), 1, load_prices(None)) == pytest.approx(0.65)


def test_the_question_says_the_price_or_that_it_is_not_known() -> None:
    text = "from: mine\nwrite_million: 1\nread_million: 1\nstream_100k: 1\nstorage_gb_month: 1\n"
    assert dollars_of(Warm(writes=5_000), 1, read_prices(text, source="p.yaml")) is None
    assert "3 new tables and indexes costs about 1.95 USD, once" in WarmPrice(3, 1.95).question()
    assert "an unknown sum: the price file has none" in WarmPrice(3, None).question()
