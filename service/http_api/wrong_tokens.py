"""Limits the guessing of the API's token: after five wrong tokens within a minute, an address has to wait."""

from collections import OrderedDict, deque

from service.clock import Clock

WRONG_TOKENS_ALLOWED = 5
WINDOW_SECONDS = 60.0
ADDRESSES_AT_MOST = 1_000


class WrongTokens:
    """Counts wrong tokens by address, for the latest ADDRESSES_AT_MOST addresses, so that guessing takes too long to succeed."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._times: OrderedDict[str, deque[float]] = OrderedDict()

    def wait_seconds(self, address: str) -> float:
        """How long this address must wait before it may send a token again; 0: it need not."""
        times = self._recent(address)
        if len(times) < WRONG_TOKENS_ALLOWED:
            return 0.0
        return times[0] + WINDOW_SECONDS - self._clock.monotonic()

    def count(self, address: str) -> None:
        """This address has sent a wrong token."""
        times = self._recent(address)
        times.append(self._clock.monotonic())
        self._times[address] = times
        self._times.move_to_end(address)
        if len(self._times) > ADDRESSES_AT_MOST:
            self._times.popitem(last=False)

    def _recent(self, address: str) -> deque[float]:
        times = self._times.get(address, deque())
        while times and times[0] <= self._clock.monotonic() - WINDOW_SECONDS:
            times.popleft()
        return times
