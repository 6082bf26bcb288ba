"""One operation of DynamoDB from its request to its answer: encoded, sent, and retried on passing trouble."""

from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import orjson

from service.dynamodb.protocol import Fence
from service.dynamodb.retry import RetryPolicy, is_retried
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

        Raises what ``answers`` tells, after the retries; Throttled at once when not ``patient``; what
        ``fence`` raises.
        """
        body = orjson.dumps(request)
        try:
            if fence is not None:
                fence()
            return await self.transport.post(operation, subject, body)
        except Retryable as first:
            return await self._again(operation, subject, body, first, patient, fence)

    async def _again(
        self, operation: str, subject: str, body: bytes, first: Retryable, patient: bool, fence: Fence | None
    ) -> Answer:
        async def attempt() -> Answer:
            if fence is not None:
                fence()
            return await self.transport.post(operation, subject, body)

        return await self._retries.again(attempt, first, patient=patient)

    async def persist(self, attempt: Callable[[], Awaitable[T]], *, patient: bool = True) -> T:
        """``attempt`` until it succeeds, for requests that change from attempt to attempt (what is left of a
        batch)."""
        try:
            return await attempt()
        except Retryable as first:
            if not is_retried(first, patient=patient):
                raise
            return await self._retries.again(attempt, first, patient=patient)
