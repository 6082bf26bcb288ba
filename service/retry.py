"""Retries: which failures, how often, how long, and with which waits.

The caller makes the first attempt and comes here only when it fails. Nearly every request succeeds at once, and starting tenacity
takes several times the CPU time of signing a request. The first attempt still counts as attempt 1.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from typing import Protocol, TypeVar

from tenacity import (
    AsyncRetrying,
    RetryCallState,
    retry_if_exception,
    wait_random_exponential,
)

from service.clock import Clock
from service.errors import IteratorExpired, Retryable, Throttled

T = TypeVar("T")

FIRST_WAIT_SECONDS = 0.05
LONGEST_WAIT_SECONDS = 5.0


class RetryCounter(Protocol):
    """The metrics of retries."""

    def count_retry(self, reason: str) -> None:
        """A request is about to be sent again, because of ``reason`` (``Retryable.reason``)."""


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """At most ``attempts`` attempts, the first included; none begins later than ``deadline_seconds`` after the first failure.

    The wait before attempt n is drawn evenly from 0 to ``FIRST_WAIT_SECONDS * 2**(n - 2)``, at most ``LONGEST_WAIT_SECONDS`` ("full
    jitter", https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/), so that clients do not return together.
    """

    clock: Clock
    attempts: int
    deadline_seconds: float
    metrics: RetryCounter
    """Counts each retry with its reason."""

    async def again(self, attempt: Callable[[], Awaitable[T]], first: Retryable, *, patient: bool = True) -> T:
        """The result of ``attempt``, made until it succeeds, after a first attempt that failed with ``first``.

        Raises the last failure when it may not be retried (``is_retried``), or when attempts or time are used up.
        """
        async for step in self._steps(patient):
            with step:
                if step.retry_state.attempt_number == 1:
                    raise first
                return await attempt()
        raise AssertionError("tenacity ends with a result or with the last failure")

    def _steps(self, patient: bool) -> AsyncRetrying:
        """Tenacity's loop over the attempts: after each failure it decides, counts and waits."""
        deadline = self.clock.monotonic() + self.deadline_seconds
        return AsyncRetrying(
            retry=retry_if_exception(partial(is_retried, patient=patient)),
            stop=partial(self._is_over, deadline),
            wait=wait_random_exponential(multiplier=FIRST_WAIT_SECONDS, max=LONGEST_WAIT_SECONDS),
            before_sleep=self._count,
            sleep=self.clock.sleep,
            reraise=True,
        )

    def _is_over(self, deadline: float, state: RetryCallState) -> bool:
        """Whether the attempts are used up, or the next one would begin after ``deadline`` on our clock."""
        return state.attempt_number >= self.attempts or self.clock.monotonic() + state.upcoming_sleep > deadline

    def _count(self, state: RetryCallState) -> None:
        failure = state.outcome.exception() if state.outcome else None
        assert isinstance(failure, Retryable)
        self.metrics.count_retry(failure.reason)


def is_retried(error: BaseException, *, patient: bool) -> bool:
    """Whether the same request may be sent again after ``error``: any Retryable, except an expired iterator, and except
    throttling for an impatient caller."""
    if isinstance(error, IteratorExpired) or (isinstance(error, Throttled) and not patient):
        return False
    return isinstance(error, Retryable)
