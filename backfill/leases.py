"""The leases of a backfill: one for the whole backfill, and one for each slice of a run that the jobs of an array share.

A worker that runs alone holds the lease of the whole backfill until it ends. The jobs of an array take that lease in turn, each
for a moment: to open the run, to close it, and to get the token under which a slice's progress is saved. So the tokens grow from
holder to holder, whichever lease each of them held before.
"""

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager

from service.clock import Clock
from service.config import Settings
from service.control.leases import REMEDY, Lease, lease_token
from service.control.table import ControlTable
from service.errors import Refused

LEASE = "backfill"
PATIENCE_SECONDS = 60.0
"""How long a job waits for one other job to release the lease: each needs it for a moment only."""


class JobLeases:
    """Takes leases for one worker, ``owner``."""

    def __init__(self, control: ControlTable, owner: str, clock: Clock, settings: Settings) -> None:
        self._control = control
        self._owner = owner
        self._clock = clock
        self._settings = settings

    def whole_backfill(self) -> AbstractAsyncContextManager[Lease]:
        """The lease of the whole backfill. Raises Refused while another worker holds it."""
        return Lease.try_acquire(self._control, LEASE, self._owner, self._clock, self._settings)

    def slice(self, number: int) -> AbstractAsyncContextManager[Lease]:
        """The lease of one slice. Raises Refused while another worker holds it."""
        return Lease.try_acquire(self._control, f"{LEASE} slice {number}", self._owner, self._clock, self._settings)

    @asynccontextmanager
    async def whole_backfill_in_turn(self) -> AsyncIterator[Lease]:
        """The lease of the whole backfill, after all jobs that hold it before this one, each for a moment.

        Raises Refused when one holder keeps it for longer than ``PATIENCE_SECONDS``.
        """
        holder, since = None, self._clock.monotonic()
        async with AsyncExitStack() as stack:
            while (lease := await self._try_whole_backfill(stack)) is None:
                previous, holder = holder, await lease_token(self._control, LEASE)
                if holder != previous:
                    since = self._clock.monotonic()
                if self._clock.monotonic() - since >= PATIENCE_SECONDS:
                    raise Refused("another backfill is running, which is no array job", remedy=REMEDY)
            yield lease

    async def _try_whole_backfill(self, stack: AsyncExitStack) -> Lease | None:
        """The lease, to be released by ``stack``; None while another worker holds it."""
        try:
            return await stack.enter_async_context(self.whole_backfill())
        except Refused:
            return None
