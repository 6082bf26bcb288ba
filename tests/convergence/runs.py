"""One random run under a seed: all actors at once, with crashes, take-overs, splits and late workers; then it is checked."""

from service.core.item.write import Put
from service.core.mapping.mapping import Mapping
from tests.convergence.application import random_item, write_old
from tests.convergence.copying import backfill, late_copies
from tests.convergence.invariants import check_converged, check_no_resurrection
from tests.convergence.purging import Purger
from tests.convergence.repairing import Repair
from tests.convergence.sync_process import SyncProcess
from tests.convergence.trampoline import turn
from tests.convergence.world import World, new_world

LASTING = ("sync", "purge")

STEPS = 3000
"""A run that is not quiet after this many steps fails."""


class Cast:
    """The classes of the actors. A mutation test replaces one of them."""

    process: type[SyncProcess] = SyncProcess
    purger: type[Purger] = Purger
    repair: type[Repair] = Repair


def run_seed(seed: int, mapping: Mapping, cast: Cast | None = None) -> World:
    """Run the interleaving that ``seed`` decides. Raises Violated when an invariant does not hold."""
    world = new_world(seed, mapping)
    cast = cast or Cast()
    try:
        _open(world, cast)
        _play(world)
        check_no_resurrection(world.memory, mapping)
        check_converged(world.memory, mapping)
    finally:
        world.stage.close()
    return world


def _open(world: World, cast: Cast) -> None:
    rng, old = world.rng, world.mapping.old.table
    for number in range(world.numbers):
        if rng.random() < 0.6:
            world.memory.apply(Put(old, random_item(rng, number)))
    world.stage.start("app", write_old(world.memory, old, rng, world.numbers, rng.randint(1, 5)))
    world.stage.start("backfill0", backfill(world))
    world.stage.start("trouble", _trouble(world, cast, rng.randint(0, 5)))
    for number in range(rng.choice((0, 1, 2))):
        world.stage.start(f"repair{number}", cast.repair(world, f"repair{number}").run())
    _take_over(world, cast)


def _play(world: World) -> None:
    """Step until every actor has ended. The owner drains the stream once all others have ended."""
    for world.now in range(STEPS):
        if not world.stage.names():
            return
        if not world.draining and len(world.stage.names()) <= len(LASTING):
            world.draining = {f"{role}{world.owner}" for role in LASTING}.issuperset(world.stage.names())
        world.stage.step()
    raise AssertionError(f"not quiet after {STEPS} steps: {world.stage.names()}")


async def _trouble(world: World, cast: Cast, incidents: int) -> None:
    """Make incidents at random times."""
    for _ in range(incidents):
        for _ in range(world.rng.randint(1, 12)):
            await turn()
        incident = world.rng.choice((_crash, _take_over, _take_over, _split, _split, _restart_backfill))
        incident(world, cast)


def _take_over(world: World, cast: Cast) -> None:
    """Start a new owner of the stream. The previous one continues without knowing that it is superseded."""
    world.owner += 1
    process = cast.process(world, world.owner)
    world.stage.start(f"sync{world.owner}", process.run())
    world.stage.start(f"purge{world.owner}", cast.purger(process).run())


def _crash(world: World, cast: Cast) -> None:
    """The owner is killed between two requests and started again from its checkpoint."""
    world.stage.kill(f"sync{world.owner}")
    world.stage.kill(f"purge{world.owner}")
    _take_over(world, cast)


def _split(world: World, cast: Cast) -> None:
    """End a shard; its keys continue in one or two children."""
    stream = world.memory.stream(world.mapping.old.table)
    ended = [shard.shard_id for shard in stream.describe(None).shards if shard.ending is None]
    stream.split(world.rng.choice(ended), world.rng.choice((1, 2)))


def _restart_backfill(world: World, cast: Cast) -> None:
    """Start the backfill again from its checkpoint; the previous worker still has copies to write."""
    if world.backfill_finished:
        return
    world.stage.kill("backfill0")
    world.stage.start(f"backfill-late{world.now}", late_copies(world))
    world.stage.start("backfill0", backfill(world))
