"""One operation of DynamoDB from its request to its answer: encoded, sent, and retried on passing trouble."""

from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any, TypeVar

import orjson

from service.dynamodb.protocol import Fence
from service.dynamodb.retry import RetryPolicy
from service.dynamodb.transport import Transport
from service.errors import Retryable

T = TypeVar("T")
Request = dict[str, Any]
Answer = dict[str, Any]


class Caller:
    """Calls the operations of one service."""

    def __init__(self, transport: Transport, retries: RetryPolicy) -> None:
        self.transport = transport
        self._retries = retries

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
        return await self.transport.post(operation, subject, orjson.dumps(request))

    async def persist(self, attempt: Callable[[], Awaitable[T]], *, patient: bool = True) -> T:
        """``attempt`` until it succeeds, or fails for good. What it attempts may change: the rest of a batch, say."""
        try:
            return await attempt()
        except Retryable as first:
            return await self._retries.again(attempt, first, patient=patient)
