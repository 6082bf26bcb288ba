"""A change of the old side that meets no item on v2: forward waits until reverse has carried what v2's application did.

It may have deleted the item, or only moved it to another key (``core.rules.forward.may_have_moved``).
"""

from service.control.ledger import EntryReading
from service.core.rules.forward import may_have_moved
from service.core.rules.forward_plan import ForwardPlan
from service.core.rules.images import old_image
from service.sync.sinks.ledger_access import LedgerAccess

MOVED_SECONDS = 30.0
"""How long a change waits for reverse: longer than it is behind in good order."""
SILENT_SECONDS = 300.0
"""After a wait in vain nobody waits for so long: the reverse lane is stopped, or far behind."""
FIRST_LOOK_SECONDS = 0.1
LONGEST_LOOK_SECONDS = 1.0


class AbsentItems:
    """The waits of one sink."""

    def __init__(self, access: LedgerAccess) -> None:
        self._access = access
        self._clock = access.stores.clock
        self._waits_from = float("-inf")

    async def is_yet_to_show(self, read: EntryReading, seen: str, plan: ForwardPlan, began: float) -> bool:
        """Whether reverse is yet to show whether the item was deleted or moved. If so, this has waited a moment.

        ``seen``: the highest count seen before the change. ``began``: the monotonic time when the change was first judged; after
        MOVED_SECONDS it is decided as it is.
        """
        now = self._clock.monotonic()
        if not self._access.both_written or now < self._waits_from or not may_have_moved(plan, read.entry, seen):
            return False
        if not await self._is_on_old(read):
            return False
        waited = now - began
        if waited > MOVED_SECONDS:
            self._waits_from = now + SILENT_SECONDS
            return False
        if waited < FIRST_LOOK_SECONDS:
            self._access.retried("v2_item_absent")
        await self._clock.sleep(min(LONGEST_LOOK_SECONDS, max(FIRST_LOOK_SECONDS, waited)))
        return True

    async def _is_on_old(self, read: EntryReading) -> bool:
        mapping, store = self._access.stores.mapping, self._access.stores.store
        return old_image(mapping, await store.get(mapping.old.table, read.entry.key)) is not None
