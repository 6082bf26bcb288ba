"""Claims: who may write and save for a shard that several workers read in turn."""

import pytest

from service.control.checkpoints import CLAIMS_PER_OWNER, Checkpoints, takeovers
from service.control.claims import SharedCheckpoints
from service.control.table import ControlTable
from service.core.shards import Position
from service.errors import Fenced, Retryable
from service.sync.shared_lane import RuleFence
from tests.fakes.clocks import VirtualClock
from tests.fakes.memory import MemoryDynamoDB

ARN = "arn:aws:dynamodb:local:000000000000:table/old/stream/1"
TRUST = 6.0


class World:
    def __init__(self) -> None:
        self.db = MemoryDynamoDB()
        self.db.create_table("control", ("pk", "sk"))
        self.control = ControlTable(self.db, "control")
        self.clock = VirtualClock()

    def claims(self, token: int = 0) -> SharedCheckpoints:
        return SharedCheckpoints(self.control, ARN, "m", self.clock, TRUST, token)

    async def saved(self) -> Position:
        return (await self.claims().load())["a"]


@pytest.fixture
async def world() -> World:
    world = World()
    await world.claims().save("a", Position(parent_id=None, sequence="1"))
    return world


def unfenced() -> None:
    """No fence."""


async def test_a_worker_whose_shard_is_claimed_saves_and_writes_nothing_more(world: World) -> None:
    former = await world.claims().claim("a")
    assert former is not None
    await former.save(Position(parent_id=None, sequence="2"), unfenced)
    present = await world.claims().claim("a")
    assert present is not None
    assert present.position.sequence == "2"
    with pytest.raises(Fenced, match="another worker has claimed shard a"):
        await former.save(Position(parent_id=None, sequence="3"), unfenced)
    with pytest.raises(Fenced):
        former.check()
    await present.save(Position(parent_id=None, sequence="4"), unfenced)
    assert (await world.saved()).sequence == "4"


async def test_a_claim_is_trusted_for_a_lease_time_from_before_the_last_look(world: World) -> None:
    # A worker that was stopped in mid-batch must not go on by a claim that another may have taken since.
    claim = await world.claims().claim("a")
    assert claim is not None
    claim.check()
    world.clock._elapsed += TRUST
    with pytest.raises(Retryable, match="was not confirmed in time"):
        claim.check()
    await claim.confirm()
    claim.check()


async def test_a_look_shows_that_the_claim_is_lost(world: World) -> None:
    claim = await world.claims().claim("a")
    assert claim is not None
    await world.claims().claim("a")
    claim.check()  # it cannot know yet
    with pytest.raises(Fenced):
        await claim.confirm()


async def test_the_first_position_of_a_shard_is_saved_once(world: World) -> None:
    # Two workers see a new shard; the slower one must not save its start over the progress of the faster.
    claim = await world.claims().claim("a")
    assert claim is not None
    await claim.save(Position(parent_id=None, sequence="7"), unfenced)
    await world.claims().save("a", Position(parent_id=None))
    assert (await world.saved()).sequence == "7"


async def test_an_unknown_shard_cannot_be_claimed(world: World) -> None:
    assert await world.claims().claim("b") is None


async def test_the_next_holder_of_the_lanes_lease_is_above_all_claims(world: World) -> None:
    # The embedded engine after kcl: with the lease's own number it could never save what had been claimed more often.
    await Checkpoints(world.control, ARN, "m", token=1).save("a", Position(parent_id=None, sequence="1"))
    for _ in range(5):
        claim = await world.claims(token=1).claim("a")
    await Checkpoints(world.control, ARN, "m", token=2).save("a", Position(parent_id=None, sequence="9"))
    assert claim is not None
    with pytest.raises(Fenced):
        await claim.save(Position(parent_id=None, sequence="5"), unfenced)
    assert (await world.saved()).sequence == "9"


async def test_a_finished_shard_is_forgotten_whoever_claimed_it(world: World) -> None:
    await world.claims().claim("a")
    await world.claims(token=3).forget("a")
    assert await world.claims().load() == {}


async def test_only_claims_over_another_worker_count_as_takeovers(world: World) -> None:
    await Checkpoints(world.control, ARN, "m", token=4).save("a", Position(parent_id=None, sequence="1"))
    assert await takeovers(world.control, [ARN]) == frozenset()
    await world.claims().claim("a")
    assert await takeovers(world.control, [ARN]) == frozenset()
    await world.claims().claim("a")
    first = await takeovers(world.control, [ARN])
    assert first == {(f"{ARN}/a", 4 * CLAIMS_PER_OWNER + 2)}
    await world.claims().claim("a")
    assert await takeovers(world.control, [ARN]) != first


async def test_a_rule_fence_that_has_run_out_stays_so(world: World) -> None:
    fence = RuleFence(world.clock, TRUST)
    world.clock._elapsed += 5
    fence.confirm(world.clock.monotonic())
    world.clock._elapsed += 5
    fence.check()
    world.clock._elapsed += 1
    with pytest.raises(Fenced, match="could not be read in time"):
        fence.check()
    with pytest.raises(Fenced):
        fence.confirm(world.clock.monotonic())
