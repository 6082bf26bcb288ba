"""The leases of a backfill: one for the whole of it, one for each slice of a run that the jobs of an array share.

Whoever works alone holds the first to the end. The jobs hold it in turn, for a moment: to open and to close the run, and for
the token under which a slice's progress is saved. So tokens grow from holder to holder, whoever held what before.
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
"""How long a job waits for one other: they need a moment each."""


class JobLeases:
    """Asks for leases in the name of one worker."""

    def __init__(self, control: ControlTable, owner: str, clock: Clock, settings: Settings) -> None:
        self._control = control
        self._owner = owner
        self._clock = clock
        self._settings = settings

    def alone(self) -> AbstractAsyncContextManager[Lease]:
        """The whole backfill. Raises Refused while another has it."""
        return Lease.try_acquire(self._control, LEASE, self._owner, self._clock, self._settings)

    def slice(self, number: int) -> AbstractAsyncContextManager[Lease]:
        """One slice. Raises Refused while another has it."""
        return Lease.try_acquire(self._control, f"{LEASE} slice {number}", self._owner, self._clock, self._settings)

    @asynccontextmanager
    async def in_turn(self) -> AsyncIterator[Lease]:
        """The whole backfill, after whoever has it for a moment, however many they are. Raises Refused when one of them has it for
        longer."""
        holder, since = None, self._clock.monotonic()
        async with AsyncExitStack() as stack:
            while (lease := await self._asked(stack)) is None:
                was, holder = holder, await lease_token(self._control, LEASE)
                if holder != was:
                    since = self._clock.monotonic()
                if self._clock.monotonic() - since >= PATIENCE_SECONDS:
                    raise Refused("another backfill is running, which is no array job", remedy=REMEDY)
            yield lease

    async def _asked(self, stack: AsyncExitStack) -> Lease | None:
        try:
            return await stack.enter_async_context(self.alone())
        except Refused:
            return None
