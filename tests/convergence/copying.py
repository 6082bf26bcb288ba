"""The backfill in steps: pages of a consistent scan, copied where the key is free, acknowledged before the checkpoint."""

from service.core.rules import guarded as apply_rule
from tests.convergence.trampoline import turn
from tests.convergence.world import World


async def backfill(world: World) -> None:
    """Copy from the saved page on. When it is started again, the older worker still has its page and continues with it."""
    start = world.page
    while True:
        page = await world.memory.scan(world.mapping.old.table, segment=0, segments=1, start=start, limit=1)
        for item in page.items:
            await world.memory.write(apply_rule.copy_write(world.mapping, item, world.generation))
        await turn()
        world.page = start = page.last_key
        if start is None:
            world.backfill_finished = True
            return


async def late_copies(world: World) -> None:
    """A superseded worker: it has read the whole table, and writes its copies much later, or never."""
    page = await world.memory.scan(world.mapping.old.table, segment=0, segments=1, start=None, limit=10)
    for item in page.items:
        await turn()
        if world.rng.random() < 0.2:
            return
        await world.memory.write(apply_rule.copy_write(world.mapping, item, world.generation))
