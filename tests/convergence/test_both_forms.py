"""Each write of the guarded rule has two forms.

In every state that the random interleavings reach, the update is refused, or leaves what the put would leave.
So it is no rule of its own, and what holds of the put holds of both.
"""

from collections.abc import Sequence

from service.core.item.change import Change
from service.core.item.wire import Item
from service.core.rules.guarded import GuardedWrite, guarded_writes
from tests.builders.mappings import crm
from tests.convergence.runs import Cast, run_seed
from tests.convergence.sync_process import SyncProcess
from tests.fakes.memory_conditions import canonical, holds

SEEDS = 400
SEEN = {"refused": 0, "made": 0}


class BothForms(SyncProcess):
    """Compares the two forms of every write, before and after the put takes effect."""

    async def apply(self, changes: Sequence[Change]) -> None:
        self._compare(changes)
        await super().apply(changes)
        self._compare(changes)

    def _compare(self, changes: Sequence[Change]) -> None:
        for key in {str(change.key): change.key for change in changes}.values():
            run = [change for change in changes if change.key == key]
            for write in guarded_writes(self.world.mapping, run, self.world.generation):
                if write.update is not None:
                    there = self.world.memory.item(write.put.table, write.update.key)
                    SEEN[compare(write, there)] += 1


class Compared(Cast):
    """With processes that compare."""

    process = BothForms


def compare(write: GuardedWrite, there: Item | None) -> str:
    """Whether the update is made or refused where ``there`` is (None: no item)."""
    update = write.update
    assert update is not None
    if not holds(update.condition, there):
        return "refused"
    left = {name: value for name, value in {**(there or update.key), **update.set}.items() if name not in update.remove}
    assert holds(write.put.condition, there), f"the put of {update.key} would be refused where {there} is"
    assert canonical({"M": left}) == canonical({"M": write.put.item})
    return "made"


def test_the_update_is_refused_or_leaves_what_the_put_leaves() -> None:
    for seed in range(SEEDS):
        run_seed(seed, crm(), Compared())
    assert min(SEEN.values()) > SEEDS, f"both must happen often: {SEEN}"
