"""Waits out passing trouble in a stream lane: the lane has no deadline of its own, retention is its only
one."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeVar

from tenacity import AsyncRetrying, RetryCallState, retry_if_exception, wait_random_exponential

from service.clock import Clock
from service.errors import IteratorExpired, Retryable

Result = TypeVar("Result")

FIRST_WAIT_SECONDS = 0.5
LONGEST_WAIT_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class StreamRetry:
    """Repeats a request until it succeeds, with full jitter. ``retried`` is told each reason, for the
    metrics."""

    clock: Clock
    retried: Callable[[str], None]

    async def __call__(self, request: Callable[[], Awaitable[Result]]) -> Result:
        """The request's result. Raises what isn't Retryable at once, and IteratorExpired, which a new
        iterator cures."""

        async def once() -> Result:
            return await request()

        retrying = AsyncRetrying(
            retry=retry_if_exception(_is_passing),
            wait=wait_random_exponential(multiplier=FIRST_WAIT_SECONDS, max=LONGEST_WAIT_SECONDS),
            sleep=self.clock.sleep,
            before_sleep=self._tell,
        )
        return await retrying(once)

    def _tell(self, state: RetryCallState) -> None:
        failure = state.outcome.exception() if state.outcome else None
        if isinstance(failure, Retryable):
            self.retried(failure.reason)


def _is_passing(error: BaseException) -> bool:
    return isinstance(error, Retryable) and not isinstance(error, IteratorExpired)
