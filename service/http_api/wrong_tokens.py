"""Counts the wrong tokens of each address: more than five within a minute are answered otherwise."""

from collections import OrderedDict, deque

from service.clock import Clock

WRONG_TOKENS_ALLOWED = 5
WINDOW_SECONDS = 60.0
ADDRESSES_AT_MOST = 1_000


class WrongTokens:
    """Counts wrong tokens by address, for the latest ADDRESSES_AT_MOST addresses.

    It keeps guessers quiet. That none succeeds is the length of the tokens.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._times: OrderedDict[str, deque[float]] = OrderedDict()

    def count(self, address: str) -> float:
        """This address has sent a wrong token. Returns for how many seconds it should send none; 0.0: it has not sent too many."""
        now = self._clock.monotonic()
        times = self._times.setdefault(address, deque(maxlen=WRONG_TOKENS_ALLOWED))
        too_many = len(times) == WRONG_TOKENS_ALLOWED and times[0] > now - WINDOW_SECONDS
        times.append(now)
        self._times.move_to_end(address)
        if len(self._times) > ADDRESSES_AT_MOST:
            self._times.popitem(last=False)
        return times[0] + WINDOW_SECONDS - now if too_many else 0.0
