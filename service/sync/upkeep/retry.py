"""Retries the keys in quarantine, again and again: what heals a key is written by the application, or it is another mapping.

One worker does it, beside its forward lane, by the rule in force.
"""

from collections.abc import Callable
from typing import NoReturn, Protocol

from service.clock import Clock
from service.control.quarantine import Quarantine
from service.errors import Misconfigured, Refused, Retryable

RETRIED_AT_ONCE = 1_000
"""At most so many keys are retried in a round; the next round goes on after them. Each takes a read or more."""


class RetryTimes(Protocol):
    """The settings that the retries depend on."""

    @property
    def verify_seconds(self) -> float: ...


class Retry(Protocol):
    """Retries one key by the rule in force."""

    async def retry(self, key_id: str, *, repeated: bool = False) -> str | None: ...


class Retrier:
    """Retries the keys in quarantine each ``verify_seconds``."""

    def __init__(
        self,
        quarantine: Quarantine,
        retry: Retry,
        clock: Clock,
        times: RetryTimes,
        postponed: Callable[[str], None],
    ) -> None:
        """``postponed``: called with the reason when a key could not be retried now."""
        self._quarantine = quarantine
        self._retry = retry
        self._clock = clock
        self._times = times
        self._postponed = postponed
        self._after = ""

    async def run(self) -> NoReturn:
        """Retry until cancelled. Raises Fenced, or another Fatal."""
        while True:
            await self._clock.sleep(self._times.verify_seconds)
            try:
                await self.retry_some()
            except Retryable as failure:
                self._postponed(failure.reason)
            except Refused:  # a phase move is under way: the lane soon acts by another state
                continue

    async def retry_all(self) -> int:
        """Retry every key once. Returns how many have left quarantine."""
        self._after, left = "", await self.retry_some()
        while self._after:
            left += await self.retry_some()
        return left

    async def retry_some(self) -> int:
        """Retry the next keys, at most ``RETRIED_AT_ONCE``. Returns how many have left quarantine. A key that cannot be retried now
        waits for the next time."""
        found = list(await self._quarantine.page(self._after, RETRIED_AT_ONCE))
        self._after = found[-1] if len(found) == RETRIED_AT_ONCE else ""
        return sum([await self._leaves(key_id) for key_id in found])

    async def _leaves(self, key_id: str) -> bool:
        try:
            return await self._retry.retry(key_id, repeated=True) is None
        except Misconfigured:  # it has left quarantine meanwhile
            return False
        except Retryable as failure:
            self._postponed(failure.reason)
            return False
