"""Changes of the old table and what forward plans for them, for one lead."""

from service.core.item.stamp import Stamp, own_stamp
from service.core.item.wire import Item
from service.core.item.write import Put
from service.core.rules.forward import forward_plan
from service.core.rules.forward_plan import ForwardPlan, OldChange, V2State
from service.core.rules.units import Form
from tests.builders.dual_lead import (
    KEY,
    MAPPING,
    MARCH,
    count,
    place,
    reading,
    version,
)
from tests.fakes.memory import MemoryDynamoDB

RECORD = version(50)


def plan(
    old: Item | None,
    new: Item | None,
    now: Item | None,
    *,
    refused: Item | None = None,
    bases: Form | None = None,
    month: str = MARCH,
    seen: str = count(0),
) -> ForwardPlan:
    """The plan for a change, while v2 has ``now`` in March and nothing elsewhere. ``month``: where the new image belongs."""
    known = [reading(now)] + ([] if month == MARCH else [reading(None, month)])
    return forward_plan(MAPPING, OldChange(KEY, RECORD, old, new, bases or {}), V2State(known, seen, refused))


def after(made: ForwardPlan, now: Item | None) -> Item | None:
    """The item in March once the plan's writes are made on ``now``; None for a tombstone or nothing."""
    memory = MemoryDynamoDB()
    memory.create_table("leads", ("PK", "SK"))
    if now is not None:
        memory.apply(Put("leads", now))
    assert all(memory.apply(write) for write in made.writes)
    item = memory.item("leads", place().key)
    return item if item is not None and "id" in item else None


def stamp_of(made: ForwardPlan) -> Stamp:
    (write,) = made.writes
    stamp = own_stamp(write.item if isinstance(write, Put) else write.set, place().key, "_sync")
    assert stamp is not None
    return stamp
