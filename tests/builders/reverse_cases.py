"""Records of v2 and what reverse plans for them, for one lead."""

from service.core.item.stamp import own_stamp
from service.core.item.wire import Item
from service.core.rules.authorship import live
from service.core.rules.images import V2Image
from service.core.rules.ledger import ReverseHalf
from service.core.rules.ledger_writes import PlaceReading
from service.core.rules.reverse import reverse_plan
from service.core.rules.reverse_plan import BothReadings, ReversePlan, V2Change
from service.core.rules.units import differing, old_units
from tests.builders.dual_lead import MAPPING, MARCH, count, place, reading, version

NOTHING_PUT = ReverseHalf(count(0))


def record(
    old: Item | None,
    new: Item | None,
    *,
    ours: bool = False,
    month: str = MARCH,
    waiting: frozenset[str] | None = frozenset(),
) -> V2Change:
    """A record of the place of ``month``. ``ours``: forward has made it, and ``new`` has its stamp."""
    here = place(month)
    images = (live_image(image, month) for image in (old, new))
    stamp = own_stamp(new, here.key, MAPPING.stamp) if ours else None
    return V2Change(here, version(50), *images, stamp, waiting)


def live_image(item: Item | None, month: str = MARCH) -> V2Image | None:
    """An item at the place of ``month``; None for none, and for a bare tombstone."""
    here = place(month)
    return None if item is None or not live(item, here.key, MAPPING.stamp) else V2Image(MAPPING, here, item)


def plan(
    change: V2Change,
    now: Item | None,
    old: Item | None,
    half: ReverseHalf = NOTHING_PUT,
    elsewhere: tuple[PlaceReading, ...] = (),
) -> ReversePlan:
    """The plan for a record, while v2 has ``now`` at its place, and ``old`` is the old item."""
    month = change.place.key["SK"]["S"][:7]
    return reverse_plan(MAPPING, change, half, BothReadings([reading(now, month), *elsewhere], old))


def put(**counts: int) -> ReverseHalf:
    """The half after writes of single units by value, with these counts."""
    puts = {unit: count(number) for unit, number in counts.items()}
    last = max(puts.values(), default="")
    return ReverseHalf(last, puts=puts, last=last)


def gives(made: ReversePlan, old: Item) -> bool:
    """Whether the old item that a plan writes is ``old``, by the values of its units."""
    return made.content is not None and not differing(old_units(MAPPING, made.content), old_units(MAPPING, old))
