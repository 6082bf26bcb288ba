"""One random two-way run under a seed: both applications, crashes, take-overs, a first cutover; then it is checked."""

from dataclasses import replace

from service.core.item.write import Put
from service.core.mapping.mapping import Mapping
from service.core.rules import guarded as apply_rule
from tests.two_way.application import OldApplication, V2Application
from tests.two_way.conductor import Entering, trouble
from tests.two_way.judge import judge
from tests.two_way.processes import superseded, take_over
from tests.two_way.witness import watch_places
from tests.two_way.world import GENERATION, World, new_world

STEPS = 6000
"""A run that is not quiet after this many steps fails."""

CHECK_EVERY = 8
"""Steps between two checks whether it is quiet."""


def run_seed(seed: int, mapping: Mapping) -> World:
    """Run the interleaving that ``seed`` decides. Raises Violated when an invariant does not hold."""
    world = new_world(seed, mapping)
    try:
        begin(world)
        play(world)
        judge(world)
    finally:
        world.stage.close()
    return world


def begin(world: World) -> None:
    """Make the initial items and start the actors."""
    rng = world.rng
    watch_places(world)
    entering = rng.random() < 0.4
    if entering:
        world.rule, world.epoch, world.entered = "guarded", 1, False
    old = OldApplication(world, rng.choice((1, 2, 2, 3)))
    if rng.random() < 0.7:
        _exists(world, old)
    for table in world.tables:
        take_over(world, table)
    world.stage.start("old application", old.run())
    world.stage.start("v2 application", V2Application(world, rng.choice((1, 2, 2, 3))).run())
    world.stage.start("trouble", trouble(world, rng.choice((0, 0, 1, 3))))
    if entering:
        world.stage.start("entering", Entering(world).run())


def _exists(world: World, old: OldApplication) -> None:
    """An item on both sides, as the backfill leaves it; its old record is read already, or still to be read."""
    item = old.fresh()
    world.write("old", Put(world.old, item), {name: item[name] for name in world.mapping.old.key_names})
    world.app[0] = replace(world.app[0], initial=True)
    world.memory.apply(apply_rule.copy_write(world.mapping, item, GENERATION))
    if world.rule == "ledger":
        _skip(world)


def _skip(world: World) -> None:
    for table in world.tables:
        for shard in world.shards(table):
            world.positions[table, shard] = world.length(table, shard)


def play(world: World) -> None:
    """Step until every application has ended and the owners have read all records and are idle."""
    for world.clock.made in range(STEPS):
        if world.clock.made % CHECK_EVERY == 0 and _quiet(world):
            return
        world.stage.step()
    raise AssertionError(f"not quiet after {STEPS} steps: {sorted(world.stage.names())}")


def _quiet(world: World) -> bool:
    names = world.stage.names()
    if len(world.idle) < len(names):
        return False
    return (
        all(name.startswith("sync ") and name in world.idle for name in names)
        and world.all_read()
        and not any(superseded(world, table) for table in world.tables)
    )
