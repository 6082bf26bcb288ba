"""Retries the requests of a stream lane. The lane has no deadline of its own; only the stream's retention limits it."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

from tenacity import AsyncRetrying, RetryCallState, retry_if_exception, wait_random_exponential

from service.clock import Clock
from service.errors import Retryable
from service.retry import is_retried

Result = TypeVar("Result")

FIRST_WAIT_SECONDS = 0.5
LONGEST_WAIT_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class StreamRetry:
    """Repeats a request until it succeeds, with full jitter."""

    clock: Clock
    retried: Callable[[str], None]
    """Called with the reason of every retry, for the metrics."""

    async def __call__(self, request: Callable[[], Awaitable[Result]]) -> Result:
        """The request's result.

        Raises at once what isn't Retryable, and IteratorExpired, which only a new iterator cures.
        """

        async def once() -> Result:
            return await request()

        retrying = AsyncRetrying(
            retry=retry_if_exception(partial(is_retried, patient=True)),
            wait=wait_random_exponential(multiplier=FIRST_WAIT_SECONDS, max=LONGEST_WAIT_SECONDS),
            sleep=self.clock.sleep,
            before_sleep=self._report_retry,
        )
        return await retrying(once)

    def _report_retry(self, state: RetryCallState) -> None:
        failure = state.outcome.exception() if state.outcome else None
        if isinstance(failure, Retryable):
            self.retried(failure.reason)
