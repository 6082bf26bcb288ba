"""A worker's standing: whether it may still believe that the rule it works by is in force.

A lease says so for whoever holds one. A worker that shares a lane has none: it looks at the state again and again, and writes
only for a lease time from before its last look. So the writer horizon ends it as it ends a superseded holder.
"""

from service.clock import Clock
from service.errors import Fenced


class Standing:
    """Good for ``seconds`` from each look; once it has run out, it has for ever."""

    def __init__(self, clock: Clock, seconds: float) -> None:
        self._clock = clock
        self._seconds = seconds
        self._good_until = clock.monotonic() + seconds
        self._lost: Fenced | None = None

    def seen(self, asked_at: float) -> None:
        """The rule was found in force by a look that began at ``asked_at``, on this process's monotonic clock."""
        self.check()
        self._good_until = asked_at + self._seconds

    def check(self) -> None:
        """Return while it is good. Raises Fenced once this worker's own clock has passed it."""
        if self._lost is None and self._clock.monotonic() >= self._good_until:
            self._lost = Fenced(
                "the migration's state could not be read in time: this worker writes nothing more",
                remedy="nothing: it begins anew with what is saved",
            )
        if self._lost is not None:
            raise self._lost
