"""What a repair does about an item whose sides differ under the ledger rule, by the phase and by what both sides hold.

The side that the application writes leads; in `dual`, where it writes both, v2 does. What leads is carried over what differs on
the other side. An item that only one side has is put on the other side, and never deleted: nothing shows whether it was deleted
there or never arrived. The exception is an item that only the side has which the application has left, in `forward` or `reverse`:
the application may have deleted it on its side, so a person must say.
"""

from typing import Literal, NamedTuple

from service.core.item.stamp import Stamp, V2Item, own_stamp, without_stamp
from service.core.item.wire import Item
from service.core.item.write import Put, Update
from service.core.mapping.mapping import Mapping
from service.core.mapping.transform import forward
from service.core.rules.agreement import BothSides, agree
from service.core.rules.guarded import REPAIR_VERSION
from service.core.rules.images import old_form, old_image
from service.core.rules.ledger import Entry, Place, next_version
from service.core.rules.ledger_writes import PlaceReading, edited, tombstone_write, v2_write
from service.errors import Poison

RepairPhase = Literal["prepare", "forward", "dual", "reverse", "complete"]

Left = Literal[
    "equal", "two_live_keys", "only_on_old", "only_on_v2", "conflict", "unmappable", "unreadable", "unread", "phase"
]
"""Why a repair leaves an item as it is. equal: nothing differs. only_on_old: in `reverse`. only_on_v2: in `forward`. conflict: an
open conflict of the item says that a write of the old side lost against v2's delete. unmappable: the old item. unreadable: the v2
item. unread: the place where the old item belongs now was not read. phase: nothing is repaired in it."""


class PutOnV2(NamedTuple):
    """Put the old item's transform on v2."""

    goal: PlaceReading
    """The place where the old item belongs, as read."""
    v2: V2Item
    content: Item
    """What is to be at the place, without stamp: where v2 has the item, v2's own attributes and index keys stay."""
    replaced: PlaceReading | None
    """The live v2 item that this replaces: at ``goal``, or at another place, which gets a tombstone. None: v2 had none."""


class RedriveV2(NamedTuple):
    """Have reverse carry the live v2 item to the old table (``redrive.redrive``)."""

    v2: PlaceReading


class LeftAlone(NamedTuple):
    """Write nothing."""

    reason: Left


RepairPlan = PutOnV2 | RedriveV2 | LeftAlone


def repair_plan(mapping: Mapping, phase: RepairPhase, sides: BothSides, *, conflict: bool = False) -> RepairPlan:
    """The plan for an item under the ledger rule. ``conflict``: whether a conflict of the item is open.

    | v2 has      | old has      | forward   | dual      | reverse   |
    |-------------|--------------|-----------|-----------|-----------|
    | nothing     | an item      | put on v2 | put on v2 | left      |
    | an item     | nothing      | left      | redrive   | redrive   |
    | an item     | another item | put on v2 | redrive   | redrive   |
    | two items   | anything     | left      | left      | left      |
    """
    live = [reading for reading in sides.v2 if reading.is_live(mapping.stamp)]
    if agree(mapping, sides):
        return LeftAlone("equal")
    if len(live) > 1:
        return LeftAlone("two_live_keys")
    if phase not in ("forward", "dual", "reverse"):
        return LeftAlone("phase")
    image = old_image(mapping, sides.old)
    if not live:
        assert image is not None  # agree() holds otherwise
        return _only_on_old(mapping, phase, sides, image, conflict)
    if phase != "forward":
        return RedriveV2(live[0])
    return LeftAlone("only_on_v2") if image is None else _over(mapping, sides, image, live[0])


def repair_version(mapping: Mapping, plan: PutOnV2, entry: Entry) -> str:
    """The version in the stamp of a repair's put: above the last change that is done and every stamp of ours where it writes, and
    below the next change. A repair of the same place right after it gets the next number."""
    written = [plan.goal, *([plan.replaced] if plan.replaced is not None else [])]
    stamps = [own_stamp(reading.item, reading.place.key, mapping.stamp) for reading in written]
    seen = [entry.reverse.seen_in_flight(reading.place) for reading in written]
    ours = [stamp.version for stamp in stamps if stamp is not None and stamp.base is not None]
    claim = entry.forward.claim
    claimed = [claim.version] if claim is not None else []
    return next_version(entry.forward.done, *seen, *ours, *claimed, REPAIR_VERSION)


def put_writes(mapping: Mapping, plan: PutOnV2, entry: Entry) -> tuple[Put | Update, ...]:
    """The writes of a put, each on the condition that the place is as it was read: the item at its place, and then a tombstone
    where it was before. Of an item that v2 has, only what differs is written.

    The stamp has the base of forward's own writes: so reverse knows it for one of ours, and carries nothing back.
    """
    version, base = repair_version(mapping, plan, entry), entry.forward.seen
    stamp = Stamp(version, residue=plan.v2.residue, absent=plan.v2.absent, base=base)
    put = v2_write(mapping, plan.goal, plan.content, stamp)
    if plan.replaced is None or plan.replaced.place.text == plan.goal.place.text:
        return (put,)
    return (put, tombstone_write(mapping, plan.replaced, version, base))


def _only_on_old(mapping: Mapping, phase: RepairPhase, sides: BothSides, image: Item, conflict: bool) -> RepairPlan:
    if phase == "reverse":
        return LeftAlone("only_on_old")
    return LeftAlone("conflict") if conflict else _put(mapping, sides, image, None)


def _over(mapping: Mapping, sides: BothSides, image: Item, live: PlaceReading) -> RepairPlan:
    """The old item over a v2 item that differs; only one that stands for an old item, which is kept in the conflict log."""
    assert live.item is not None
    try:
        now = old_form(mapping, live.place, live.item)
        content, _ = edited(mapping, without_stamp(live.item, mapping.stamp), now, image)
    except Poison:
        return LeftAlone("unreadable")
    return _put(mapping, sides, image, live, content)


def _put(
    mapping: Mapping, sides: BothSides, image: Item, replaced: PlaceReading | None, content: Item | None = None
) -> RepairPlan:
    try:
        v2 = forward(mapping, image)
    except Poison:
        return LeftAlone("unmappable")
    text = Place(v2.table, v2.key).text
    goal = next((reading for reading in sides.v2 if reading.place.text == text), None)
    return LeftAlone("unread") if goal is None else PutOnV2(goal, v2, v2.item if content is None else content, replaced)
