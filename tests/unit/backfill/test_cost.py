"""What a backfill costs while it runs, and the cap at which it pauses: counted once over all restarts, with nothing lost."""

import json
from pathlib import Path
from typing import Any

import pytest

from backfill.budget import CostBudget
from backfill.options import BackfillOptions
from backfill.records import read_run_status
from backfill.report import BackfillReport
from backfill.segments import Segment, Spent, spent_in
from service.config import Settings
from service.core.item.write import Put
from service.dynamodb.prices import load_prices
from service.errors import Paused
from tests.fakes.clocks import VirtualClock
from tests.worlds.backfill_world import Throttling, World

LEAD_UNITS, DEAL_UNITS = 3, 2
"""One unit for the base table and one for each index: a lead has two indexes, a deal has one."""


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """A write unit costs one dollar; reads are free."""
    path = tmp_path / "prices.yaml"
    path.write_text("from: a test\nwrite_million: 1000000\nread_million: 0\nstream_100k: 0\nstorage_gb_month: 0\n")
    return Settings(segments=3, page_items=4, price_file=path)


def filled(settings: Settings, count: int, **parts: Any) -> World:
    world = World(settings=settings, **parts)
    world.fill(count)
    return world


async def spent(world: World) -> Spent:
    status = await read_run_status(world.control, world.clock.now())
    assert status is not None
    return status.spent


async def pauses(world: World, **options: Any) -> Paused:
    with pytest.raises(Paused) as paused:
        await world.run(**options)
    return paused.value


async def test_a_copy_takes_units_in_the_base_table_and_in_each_index(settings: Settings) -> None:
    world = filled(settings, 10)
    await world.run()
    assert (await spent(world)).write_units == 5 * LEAD_UNITS + 5 * DEAL_UNITS
    assert world.display.snapshots[-1].cost == 25.0


async def test_a_copy_that_finds_its_key_taken_takes_none_in_the_indexes(settings: Settings) -> None:
    world = filled(settings, 10)
    await world.run()
    await world.run(again=True)
    assert (await spent(world)).write_units == 10


async def test_what_is_throttled_is_not_counted(settings: Settings) -> None:
    clock = VirtualClock()
    db = Throttling(clock, allowed=3)
    world = filled(settings, 40, clock=clock, db=db)
    await world.run()
    assert db.refusals > 0
    assert (await spent(world)).write_units == 20 * LEAD_UNITS + 20 * DEAL_UNITS


async def test_at_the_cap_it_pauses_and_a_higher_cap_goes_on_without_loss_or_repetition(settings: Settings) -> None:
    world = filled(settings, 900)
    paused = await pauses(world, max_cost=100.0)
    before = (await spent(world)).write_units
    assert 100 <= before < 450 * (LEAD_UNITS + DEAL_UNITS)
    assert paused.message.startswith(f"paused at --max-cost 100: about {before:.2f} USD are spent; backfill: ")
    assert paused.remedy == f"go on with a higher cap: tablesplit migrate --max-cost {2 * before:g}"
    status = await read_run_status(world.control, world.clock.now())
    assert status is not None
    assert status.state == "stopped"

    report: BackfillReport = await world.run(max_cost=1_000_000.0)
    assert (report.outcomes.copied, report.outcomes.present, report.resumed) == (900, 0, True)
    assert world.actual() == world.expected()
    assert (await spent(world)).write_units == 450 * (LEAD_UNITS + DEAL_UNITS)


async def test_under_the_same_cap_it_pauses_again_and_spends_nothing(settings: Settings) -> None:
    world = filled(settings, 900)
    await pauses(world, max_cost=100.0)
    before = await spent(world)
    await pauses(world, max_cost=100.0)
    assert await spent(world) == before


async def test_a_cap_that_is_reached_with_the_last_item_stops_nothing(settings: Settings) -> None:
    world = filled(settings, 10)
    report = await world.run(max_cost=25.0)
    assert report.outcomes.copied == 10


async def test_the_setting_caps_where_the_command_does_not(settings: Settings) -> None:
    world = filled(settings.model_copy(update={"max_cost": 100.0}), 900)
    await pauses(world)
    assert (await world.run(max_cost=1_000_000.0)).outcomes.copied == 900


async def test_segments_that_an_earlier_version_saved_are_gone_on_with(settings: Settings) -> None:
    world = filled(settings, 900)
    await pauses(world, max_cost=100.0)
    for item in world.db.items("control"):
        if item["pk"]["S"] == "backfill#segments":
            document = json.loads(item["document"]["S"])
            del document["spent"]
            world.db.apply(Put("control", {**item, "document": {"S": json.dumps(document)}}))
    assert await spent(world) == Spent()
    assert (await world.run()).outcomes.copied == 900


def test_reads_are_paid_as_well() -> None:
    budget = CostBudget(load_prices(None), max_cost=0.75)
    spent = spent_in({0: Segment("r", spent=Spent(1e6, 0)), 1: Segment("r", spent=Spent(0, 1e6 - 8))})
    assert not budget.used_up(spent)
    assert budget.used_up(spent + Spent(0, 8))
    assert not CostBudget(load_prices(None)).used_up(spent)


def test_the_command_that_goes_on_has_the_cap() -> None:
    assert (
        BackfillOptions(max_write_units=5, max_cost=2.5).command()
        == "tablesplit migrate --max-write-units 5 --max-cost 2.5"
    )
