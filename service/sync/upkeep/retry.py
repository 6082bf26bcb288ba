"""Retries the keys in quarantine, again and again: what heals a key is often written by the application, on the other side.

One worker does it, beside its forward lane, under the ledger rule.
"""

from collections.abc import Callable
from typing import NoReturn, Protocol

from service.clock import Clock
from service.control.quarantine import Quarantine
from service.errors import Misconfigured, Retryable
from service.log import get_logger


class RetryTimes(Protocol):
    """The settings that the retries depend on."""

    @property
    def verify_seconds(self) -> float: ...


class Retry(Protocol):
    """Retries one key by the ledger rule."""

    async def retry(self, key_id: str, *, repeated: bool = False) -> str | None: ...


class Retrier:
    """Retries every key in quarantine each ``verify_seconds``."""

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

    async def run(self) -> NoReturn:
        """Retry until cancelled. Raises Fenced, or another Fatal."""
        while True:
            await self._clock.sleep(self._times.verify_seconds)
            try:
                await self.retry_all()
            except Retryable as failure:
                self._postponed(failure.reason)

    async def retry_all(self) -> int:
        """Retry every key once. Returns how many have left quarantine. A key that cannot be retried now waits for the next time."""
        healed = 0
        for key_id in await self._quarantine.heads():
            try:
                healed += await self._retry.retry(key_id, repeated=True) is None
            except Misconfigured:  # it has left quarantine meanwhile
                continue
            except Retryable as failure:
                self._postponed(failure.reason)
        if healed:
            get_logger().info("keys have left quarantine by a retry", keys=healed)
        return healed
