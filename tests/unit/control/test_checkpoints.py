"""Checkpoints: positions survive, a superseded owner cannot move them, another mapping is refused."""

import pytest

from service.control.checkpoints import Checkpoints
from service.control.table import ControlTable
from service.core.shards import Position
from service.errors import Fatal, Fenced
from tests.fakes.memory import MemoryDynamoDB

ARN = "arn:aws:dynamodb:local:000000000000:table/old/stream/1"


@pytest.fixture
def control() -> ControlTable:
    store = MemoryDynamoDB()
    store.create_table("control", ["pk", "sk"])
    return ControlTable(store, "control")


async def test_every_part_of_a_position_survives_and_parents_come_first(control: ControlTable) -> None:
    child = Position(parent_id="z", sequence="9" * 40, as_of=1.5)
    parent = Position(parent_id=None, sequence=None, state="finished", finished_at=1_700_000_000.25)
    for shard_id, position in (("a", child), ("z", parent)):
        await Checkpoints(control, ARN, "m", token=1).save(shard_id, position)
    loaded = await Checkpoints(control, ARN, "m", token=2).load()
    assert list(loaded.items()) == [("z", parent), ("a", child)]


async def test_a_superseded_owner_cannot_move_a_position_that_the_new_one_saved(
    control: ControlTable,
) -> None:
    former, present = Checkpoints(control, ARN, "m", token=1), Checkpoints(control, ARN, "m", token=2)
    await former.save("a", Position(parent_id=None, sequence="1"))
    await present.save("a", Position(parent_id=None, sequence="5"))
    with pytest.raises(Fenced, match="a newer owner of the stream has saved shard a"):
        await former.save("a", Position(parent_id=None, sequence="3"))
    with pytest.raises(Fenced):
        await former.forget("a")
    assert (await present.load())["a"].sequence == "5"


async def test_positions_of_another_stream_are_not_seen(control: ControlTable) -> None:
    await Checkpoints(control, ARN, "m").save("a", Position(parent_id=None))
    assert await Checkpoints(control, ARN + "x", "m").load() == {}


async def test_positions_saved_under_another_mapping_stop_the_lane(control: ControlTable) -> None:
    await Checkpoints(control, ARN, "before").save("a", Position(parent_id=None))
    with pytest.raises(Fatal, match="was read with mapping before, not after"):
        await Checkpoints(control, ARN, "after").load()
