"""Deletions by TTL: carried like every delete, but no sign of life of the application, and no rogue write."""

import pytest

from service.control.activity import Activities, Activity, ActivityRecorder
from service.core.item.write import Delete, Put
from service.sync.sinks.before_dual import RogueWriteSink
from tests.builders.small_crm import MAPPING, lead, lead_key, old_key
from tests.worlds.both_ways_world import BothWays


@pytest.fixture
async def world() -> BothWays:
    """One lead on both sides, and no activity so far."""
    world = BothWays()
    world.db.apply(Put("old", lead("a")))
    await world.carry()
    world.db.apply(Delete("control", {"pk": {"S": "activity"}, "sk": {"S": "old"}}))
    assert await Activities(world.control).load() == {"old": Activity(), "v2": Activity()}
    return world


@pytest.mark.parametrize(("table", "side"), [("old", "old"), ("leads", "v2")])
async def test_it_is_carried_and_is_no_sign_of_life(world: BothWays, table: str, side: str) -> None:
    world.expire(table, old_key("LEAD", "a") if table == "old" else lead_key("a"))
    await world.carry()
    assert (world.old_lead(), world.v2_lead()) == (None, None)
    assert await Activities(world.control).load() == {"old": Activity(), "v2": Activity()}


@pytest.mark.parametrize(("table", "side"), [("old", "old"), ("leads", "v2")])
async def test_a_delete_of_the_application_is_one(world: BothWays, table: str, side: str) -> None:
    world.remove(table, old_key("LEAD", "a") if table == "old" else lead_key("a"))
    await world.carry()
    changed = [name for name, activity in (await Activities(world.control).load()).items() if activity.last_change_at]
    assert changed == [side]


@pytest.mark.parametrize("expired", [True, False])
async def test_on_the_quiet_side_it_is_no_rogue_write(world: BothWays, expired: bool) -> None:
    activities = Activities(world.control)
    recorder = ActivityRecorder(activities, "v2", world.clock, quiet=True)
    (world.expire if expired else world.remove)("leads", lead_key("a"))
    await RogueWriteSink(MAPPING, recorder).apply("s", world.unread("leads"))
    assert (await activities.load())["v2"].intruders == ({} if expired else {"LEAD": 1})
