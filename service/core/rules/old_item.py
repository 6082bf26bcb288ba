"""What reverse makes of an old item: units of a v2 record put on it, each under the names that the old application uses."""

from collections.abc import Collection
from typing import NamedTuple

from service.core.item.compare import equal
from service.core.item.stamp import Stamp, own_stamp
from service.core.item.wire import Item
from service.core.item.write import Put, Update
from service.core.mapping.entity import Entity
from service.core.mapping.mapping import Mapping
from service.core.rules.images import V2Image
from service.core.rules.ledger import Place
from service.core.rules.ledger_writes import as_read, stamp_value, written
from service.core.rules.unit_writes import under_present_names, with_units
from service.core.rules.units import (
    ABSENT,
    ELEMENT,
    Form,
    UnitChange,
    Value,
    old_units,
    remembered,
    same,
)


class V2Now(NamedTuple):
    """An item on v2 as it is now: where, its old form, and its units."""

    place: Place
    old: Item
    form: Form
    entity: Entity | None
    by_forward: bool
    """Forward has written the item at this place. Else v2's application has put it there, with the counters that it had."""


class Wanted(NamedTuple):
    """The units of a record that are to be put on an old item."""

    form: Form
    """The record's units."""
    values: frozenset[str]
    """Put where old has another value."""
    resets: frozenset[str] = frozenset()
    """Counters that are put by value, also where old has it: the write must have its place among the differences."""
    steps: dict[str, UnitChange] = {}  # noqa: RUF012 (never changed)
    """Counters that are put by the difference that the record made."""
    of_now: frozenset[str] = frozenset()
    """Units that get the value which v2 has now."""
    exact: frozenset[str] = frozenset()
    """Of ``values``, those that are put also where old has the same value in another form: the record is of tablesplit, and its
    stamp has the form that the old application wrote. A record of v2's application has none, so old keeps its own."""


class OldWritten(NamedTuple):
    """An old item with the wanted units."""

    content: Item
    """Without stamp."""
    units: tuple[str, ...]
    """The units that are written by value, as they are remembered."""
    added: tuple[str, ...]
    """The counters that are written by a difference."""


def now_at(mapping: Mapping, image: V2Image) -> V2Now:
    """A live v2 item that was read. Raises Poison when it has no old form."""
    stamp = own_stamp(image.item, image.place.key, mapping.stamp)
    by_forward = stamp is not None and stamp.base is not None
    return V2Now(image.place, image.old, image.form, mapping.entity_of(image.old), by_forward)


def old_item_with(mapping: Mapping, now: V2Now, image: Item, wanted: Wanted) -> OldWritten:
    """The old item ``image`` with the wanted units of a record, while v2 is as ``now``."""
    old = old_units(mapping, image)
    by_value = _by_value(image, old, now, wanted)
    content = with_units(now.entity, image, old, [*by_value, *wanted.steps.values()])
    carried = wanted.steps.keys() | {change.unit for change in by_value}
    content, kept = _with_what_stood(mapping, now, old, content, carried)
    units = remembered([*(change.unit for change in by_value), *kept])
    return OldWritten(content, units, tuple(sorted(wanted.steps)))


def _by_value(image: Item, old: Form, now: V2Now, wanted: Wanted) -> list[UnitChange]:
    changes = [
        _named(now.entity, image, UnitChange(unit, old.get(unit, ABSENT), source.get(unit, ABSENT)))
        for source, units in ((wanted.form, wanted.values | wanted.resets), (now.form, wanted.of_now))
        for unit in sorted(units)
    ]
    return [_forced(change, wanted) for change in changes if _is_put(change, wanted)]


def _is_put(change: UnitChange, wanted: Wanted) -> bool:
    if change.unit in wanted.resets or not same(change.before, change.after):
        return True
    return change.unit in wanted.exact and not equal(change.before.raw, change.after.raw)


def _forced(change: UnitChange, wanted: Wanted) -> UnitChange:
    """The change; of a counter that is put by value without what it had before, so that it is not a difference."""
    return change._replace(before=Value({}, None)) if change.unit in wanted.resets else change


def _named(entity: Entity | None, image: Item, change: UnitChange) -> UnitChange:
    """The change under the names that the old application uses for the field."""
    if entity is None or ELEMENT in change.unit:
        return change
    return change._replace(after=Value(under_present_names(entity, image, change.after.raw), change.after.normal))


def _with_what_stood(
    mapping: Mapping, now: V2Now, before: Form, content: Item, carried: Collection[str]
) -> tuple[Item, list[str]]:
    """The old item to write, and the units that it gets beside those ``carried``: fields that old does not hold, whose default the
    write would change, although v2 keeps the value that the default had before. ``before``: the units that old has."""
    after = old_units(mapping, content)
    moved = [
        unit
        for unit, value in now.form.items()
        if unit not in carried
        and value.raw
        and not same(after.get(unit, ABSENT), value)
        and same(before.get(unit, ABSENT), value)
    ]
    changes = [UnitChange(unit, Value({}, None), now.form[unit]) for unit in moved]
    return with_units(now.entity, content, after, changes), moved


def old_write(mapping: Mapping, key: Item, old: Item | None, content: Item, stamp: Stamp) -> Put | Update:
    """The write that turns the old item as it was read into ``content`` (without stamp; empty: a tombstone) with ``stamp``.

    A tombstone takes the whole item's place: an attribute that the application adds in between, under a name that no condition can
    list, is deleted with the item, and forward finds its change lost against v2's delete.
    """
    after = {**content, **key, mapping.stamp: stamp_value(key, stamp)}
    if not content:
        return Put(mapping.old.table, after, as_read(key, old, (), mapping.read_from_old()))
    write = written(mapping.old.table, key, old, after, mapping.read_from_old())
    assert write is not None  # the count is new
    return write
