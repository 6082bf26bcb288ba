"""What follows from a lane's lag over time: since when it has been low, and when it will be gone."""

from collections import deque

from service.clock import Clock

WINDOW_SECONDS = 60.0
"""The time over which the speed of catching up is measured. Lag comes in whole seconds."""
LEAST_SPAN_SECONDS = 5.0
"""No speed is computed from a shorter time."""


class LowLag:
    """Since when lag has been below a limit, in seconds."""

    def __init__(self, clock: Clock, limit: float) -> None:
        self._clock = clock
        self._limit: float | None = limit
        self._since: float | None = None

    def follow(self, limit: float | None) -> None:
        """Go by another limit from now on: what was low by the former one says nothing about it. None: not known, no lag is low."""
        if limit != self._limit:
            self._limit, self._since = limit, None

    def note(self, lag: float | None) -> float | None:
        """Take a lag into account (None: not known); return since when it has been low, in epoch seconds, or None."""
        low = lag is not None and self._limit is not None and lag < self._limit
        self._since = (self._since or self._clock.now()) if low else None
        return self._since


class CatchingUp:
    """How long it takes until there is no lag, at the speed of the last minute."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._samples: deque[tuple[float, float]] = deque()

    def note(self, lag: float | None) -> float | None:
        """Take a lag into account (None: not known); return the seconds that are left, or None while it does not shrink."""
        if not lag:
            self._samples.clear()
            return lag
        now = self._clock.monotonic()
        self._samples.append((now, lag))
        while self._samples[0][0] < now - WINDOW_SECONDS:
            self._samples.popleft()
        first_at, first = self._samples[0]
        if now - first_at < LEAST_SPAN_SECONDS or lag >= first:
            return None
        return lag * (now - first_at) / (first - lag)
