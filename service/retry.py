"""Retrying: how often, how long, and with which waits. Entered only after a first failure."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Protocol, TypeVar

from tenacity import AsyncRetrying, RetryCallState, retry_if_exception, wait_random_exponential

from service.clock import Clock
from service.errors import IteratorExpired, Retryable, Throttled

T = TypeVar("T")

FIRST_WAIT_SECONDS = 0.05
LONGEST_WAIT_SECONDS = 5.0


class RetryCounter(Protocol):
    """What the metrics are to whoever tries again."""

    def count_retry(self, reason: str) -> None:
        """A request is about to be sent again, because of ``reason`` (``Retryable.reason``)."""


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """At most ``attempts`` attempts, none begun later than ``deadline_seconds`` after the first failure.

    The wait before attempt n is drawn evenly from 0 to ``FIRST_WAIT_SECONDS * 2**n`` ("full jitter",
    https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/), so that clients do not come
    back together.
    ``metrics`` counts each retry with its reason.
    """

    clock: Clock
    attempts: int
    deadline_seconds: float
    metrics: RetryCounter

    async def again(self, attempt: Callable[[], Awaitable[T]], first: Retryable, *, patient: bool = True) -> T:
        """Go on after ``first``, the failure of the first attempt. Raises the last failure when attempts or
        time are used up."""
        failures = [first]

        async def one() -> T:
            if failures:
                raise failures.pop()
            return await attempt()

        def count(state: RetryCallState) -> None:
            error = state.outcome.exception() if state.outcome else None
            assert isinstance(error, Retryable)
            self.metrics.count_retry(error.reason)

        return await AsyncRetrying(
            sleep=self.clock.sleep,
            wait=wait_random_exponential(multiplier=FIRST_WAIT_SECONDS, max=LONGEST_WAIT_SECONDS),
            retry=retry_if_exception(lambda error: is_retried(error, patient=patient)),
            stop=self._stop(),
            before_sleep=count,
            reraise=True,
        )(one)

    def _stop(self) -> Callable[[RetryCallState], bool]:
        deadline = self.clock.monotonic() + self.deadline_seconds

        def stop(state: RetryCallState) -> bool:
            return state.attempt_number >= self.attempts or self.clock.monotonic() + state.upcoming_sleep > deadline

        return stop


def is_retried(error: BaseException, *, patient: bool) -> bool:
    """Whether the same request may be sent again: not with an expired iterator, nor throttled for an
    impatient caller."""
    if isinstance(error, IteratorExpired) or (isinstance(error, Throttled) and not patient):
        return False
    return isinstance(error, Retryable)
