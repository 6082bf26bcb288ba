"""When a key leaves quarantine by itself, and how: because of what is there now, not because somebody said so. Pure.

A key in quarantine has changes that wait, or none: then the backfill could not copy the item.

- *Where a change waits*, the newest one that waits decides, and never what the table has at the moment. What the table has now came
  by a change that is still on its way in the stream: it will be read, and decide then. An item that is gone may have left something
  on v2, and only the images that wait show where.
- *Where none waits*, v2 has nothing of the item, and quarantine keeps nothing of it either. So the item as it is now decides. That
  its changes may still be on their way does no harm under the guarded rule, where a change is judged by its version. Under the
  ledger rule a change is judged by what was before it. So the item is read first, and then the sync reads all that was in the
  streams: what is unread after that changed the item that was read. If quarantine's note of the key is still as it was before,
  that item waits there as a create (``created``), like a change, and what is unread waits behind it or takes its place. To put it
  on v2 beside the sync, and then to remove the note, is not enough: a change in between is judged from no item, meets the copy,
  and is lost against it (docs/model/mutants/Copies-puts-the-copy.cfg).
"""

from collections.abc import Sequence
from typing import Literal

from service.core.item.change import Change
from service.core.item.wire import Item
from service.core.mapping.mapping import Mapping
from service.core.mapping.transform import forward
from service.errors import Poison

Left = Literal["applied", "superseded", "conflict"]
"""How a key has left quarantine: what waited is on the other side; the item is gone or stays behind, so nothing of it is needed any
more; or it lost against the other side, and is in the conflict log."""


def may_leave(mapping: Mapping, waiting: Sequence[Change], now: Item | None) -> Left | None:
    """How a key of the old table can leave quarantine; None: it stays. It is only tried then: DynamoDB may still refuse the item.

    ``waiting``: the changes that wait, oldest first. ``now``: the old item as read; it counts only where no change waits.
    """
    newest = waiting[-1].new if waiting else now
    if newest is None or mapping.leaves_out(newest):
        return "superseded"
    try:
        forward(mapping, newest)
    except Poison:
        return None
    return "applied"


def created(table: str, key: Item, item: Item) -> Change:
    """The create of an old item of which the backfill made no copy: in the order of the stream it is before every change."""
    return Change(table, shard_id="", sequence="0", key=key, old=None, new=item)
