"""How many wrong tokens an address may send: guessing takes longer than anybody waits."""

from collections import OrderedDict, deque

from service.clock import Clock

ALLOWED = 5
WINDOW_SECONDS = 60.0
ADDRESSES_AT_MOST = 1_000


class WrongTokens:
    """Counts them by address, for the latest ADDRESSES_AT_MOST addresses."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._seen: OrderedDict[str, deque[float]] = OrderedDict()

    def wait_seconds(self, address: str) -> float:
        """For how long this address may send no token; 0 for an address that may."""
        seen = self._recent(address)
        return seen[0] + WINDOW_SECONDS - self._clock.monotonic() if len(seen) >= ALLOWED else 0.0

    def count(self, address: str) -> None:
        """This address has sent a wrong one."""
        seen = self._recent(address)
        seen.append(self._clock.monotonic())
        self._seen[address] = seen
        self._seen.move_to_end(address)
        if len(self._seen) > ADDRESSES_AT_MOST:
            self._seen.popitem(last=False)

    def _recent(self, address: str) -> deque[float]:
        seen = self._seen.get(address, deque())
        while seen and seen[0] <= self._clock.monotonic() - WINDOW_SECONDS:
            seen.popleft()
        return seen
