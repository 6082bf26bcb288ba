"""The leases of a backfill: one for the whole of it, one for each slice of a run that the jobs of an array share.

Whoever works alone holds the first to the end. The jobs hold it in turn, for a moment: to open and to close the run, and for
the token under which a slice's progress is saved. So tokens grow from holder to holder, whoever held what before.
"""

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager

from service.clock import Clock
from service.config import Settings
from service.control_table import ControlTable
from service.errors import Refused
from service.leases import Lease

LEASE = "backfill"
PATIENCE_SECONDS = 60.0
"""How long a job waits for its turn: the others need a moment each."""
REMEDY = "wait for it, watch it with `tablesplit status --watch`, or stop it first"


class Claims:
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
        """The whole backfill, after whoever has it for a moment. Raises Refused when somebody has it for longer."""
        give_up_at = self._clock.monotonic() + PATIENCE_SECONDS

        def stand_by() -> None:
            if self._clock.monotonic() >= give_up_at:
                raise Refused("another backfill is running, which is no array job", remedy=REMEDY)

        async with Lease.acquire(
            self._control, LEASE, self._owner, self._clock, self._settings, stand_by=stand_by
        ) as lease:
            yield lease
