"""One DynamoDB operation from request to answer: encoded, sent, and retried after temporary failures."""

from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any, TypeVar

import orjson

from service.clock import Clock
from service.dynamodb.metering import FAILURES, Meter, count_answer, failed
from service.dynamodb.protocol import Fence
from service.dynamodb.transport import Transport
from service.errors import Retryable, TablesplitError
from service.log import get_logger
from service.retry import RetryPolicy

T = TypeVar("T")
Request = dict[str, Any]
Answer = dict[str, Any]


class Caller:
    """Calls the operations of one service. ``meter`` counts every attempt."""

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
        """The answer to ``request``. ``subject`` is the table or stream, for error messages.

        Raises the errors of ``error_answers`` once the retries are used up, Throttled at once when not ``patient``, and whatever
        ``fence`` raises.
        """
        return await self.persist(partial(self.once, operation, subject, request, fence), patient=patient)

    async def once(self, operation: str, subject: str, request: Request, fence: Fence | None = None) -> Answer:
        """The answer to one attempt. ``fence`` is called before it is sent. Raises the errors of ``error_answers``."""
        if fence is not None:
            fence()
        body = orjson.dumps(request)
        began = self._clock.monotonic()
        try:
            answer = await self.transport.post(operation, subject, body)
        except FAILURES as error:
            self._meter.count_request(operation, failed(error), self._clock.monotonic() - began)
            if isinstance(error, TablesplitError):
                get_logger().debug("request failed", operation=operation, subject=subject, **error.to_log())
            raise
        count_answer(self._meter, operation, answer, self._clock.monotonic() - began)
        return answer

    async def persist(self, attempt: Callable[[], Awaitable[T]], *, patient: bool = True) -> T:
        """The result of ``attempt``, repeated until it succeeds or the retries are used up.

        Each attempt may send something else, such as the rest of a batch. Raises the last failure.
        """
        try:
            return await attempt()
        except Retryable as first:
            return await self._retries.again(attempt, first, patient=patient)
