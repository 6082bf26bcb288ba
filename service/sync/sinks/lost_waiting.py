"""What waits in quarantine for an old item and is lost, because reverse has put v2's value over it on the old table.

v2's application wrote the unit without having seen what waits, so v2 wins. Were it judged later, from the value before it, every
change that the old application makes after reverse's write would seem to meet a write of v2 that it had not seen.
"""

from service.control.conflicts import Conflict
from service.control.ledger import conflict_id
from service.core.item.change import Change
from service.core.rules.forward import known_places
from service.core.rules.images import old_image
from service.core.rules.ledger import Entry
from service.core.rules.units import differing, old_units, shown
from service.core.rules.waiting import Waiting
from service.sync.sinks.context import SinkContext
from service.sync.sinks.ledger_access import LedgerAccess


async def lose_what_waits(access: LedgerAccess, context: SinkContext, change: Change, entry: Entry) -> None:
    """``change``: a write of reverse's. What waits and was replaced by it goes to the conflict log, and then leaves quarantine;
    again after a crash in between, to the same entry."""
    waiting = await context.waiting(change.table, change.key)
    units = waiting.replaced_by(access.stores.mapping, change)
    if units:
        conflict = await _conflict(access, context, change, entry, waiting)
        await access.conflicts.keep(conflict, access.fence)
        await context.heal((change.table, change.key), units, context.version(change), how="conflict")


async def _conflict(
    access: LedgerAccess, context: SinkContext, change: Change, entry: Entry, waiting: Waiting
) -> Conflict:
    """The entry of the conflict log: the old item before reverse's write, which had what waited, and v2 as it is now."""
    mapping = access.stores.mapping
    before, after = (old_image(mapping, image) for image in (change.old, change.new))
    found = await access.read_places(known_places(mapping, change, entry))
    return Conflict(
        id=conflict_id(mapping.old.table, change.key, context.version(change)),
        old_table=change.table,
        key=change.key,
        entity=mapping.entity_name_of(before or after),
        reason="overlap",
        fields=waiting.attributes_of_whole(mapping, before)
        or shown(differing(old_units(mapping, before), old_units(mapping, after))),
        change=None,
        v2=tuple((reading.place.table, reading.place.key, reading.item) for reading in found),
        at=access.stores.clock.now(),
        old=change.old,
    )
