"""One operation of DynamoDB from its request to its answer: encoded, sent, and retried on passing trouble."""

from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any, TypeVar

import orjson

from service.clock import Clock
from service.dynamodb.metering import FAILURES, Meter, count_answer, failed
from service.dynamodb.protocol import Fence
from service.dynamodb.transport import Transport
from service.errors import Retryable
from service.retry import RetryPolicy

T = TypeVar("T")
Request = dict[str, Any]
Answer = dict[str, Any]


class Caller:
    """Calls the operations of one service. ``meter`` is told of every attempt."""

    def __init__(self, transport: Transport, retries: RetryPolicy, meter: Meter, clock: Clock) -> None:
        self.transport = transport
        self._retries = retries
        self._meter = meter
        self._clock = clock

    async def call(
        self,
        operation: str,
        subject: str,
        request: Request,
        *,
        patient: bool = True,
        fence: Fence | None = None,
    ) -> Answer:
        """The answer to ``request``. ``subject`` (the table, or the stream) is what error messages name.

        Raises what ``answers`` tells, after the retries; Throttled at once when not ``patient``; what ``fence`` raises.
        """
        return await self.persist(partial(self.once, operation, subject, request, fence), patient=patient)

    async def once(self, operation: str, subject: str, request: Request, fence: Fence | None = None) -> Answer:
        """One attempt."""
        if fence is not None:
            fence()
        body = orjson.dumps(request)
        began = self._clock.monotonic()
        try:
            answer = await self.transport.post(operation, subject, body)
        except FAILURES as error:
            self._meter.count_request(operation, failed(error), self._clock.monotonic() - began)
            raise
        count_answer(self._meter, operation, answer, self._clock.monotonic() - began)
        return answer

    async def persist(self, attempt: Callable[[], Awaitable[T]], *, patient: bool = True) -> T:
        """``attempt`` until it succeeds, or fails for good. What it attempts may change: the rest of a batch, say."""
        try:
            return await attempt()
        except Retryable as first:
            return await self._retries.again(attempt, first, patient=patient)
