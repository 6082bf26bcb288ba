"""One signed HTTP request to DynamoDB, and its verified answer. It has a time limit; it is never retried here."""

import zlib
from dataclasses import dataclass
from typing import Any, NamedTuple

import orjson

from service.clock import Clock
from service.dynamodb.answer_text import answer_of
from service.dynamodb.credentials import CredentialSource
from service.dynamodb.error_answers import Call, error_of
from service.dynamodb.http.failures import (
    Closed,
    Damaged,
    ExchangeFailed,
    Late,
    NotOpened,
    NotTrusted,
    ProxyRefused,
    ProxyUnreachable,
    Unreachable,
)
from service.dynamodb.http.pool import Pool
from service.dynamodb.http.route import Route
from service.dynamodb.network import proxy_error
from service.dynamodb.new_stream import is_starting
from service.dynamodb.signing import Signer
from service.errors import (
    CERTIFICATE_REMEDY,
    CHECK_ENDPOINT,
    PROXY_REMEDY,
    CredentialsExpired,
    Misconfigured,
    Retryable,
    StreamGone,
    TablesplitError,
)


@dataclass(frozen=True, slots=True)
class Api:
    """One of the two services."""

    target_prefix: str
    """Of the X-Amz-Target header."""
    endpoint: str
    region: str
    proxy: str | None = None
    """URL of the proxy through which the endpoint is reached."""


class _Answer(NamedTuple):
    status: int
    request_id: str
    error_type: str
    content: bytes


class Transport:
    """Sends the requests of one service over a shared connection pool."""

    def __init__(self, pool: Pool, api: Api, credentials: CredentialSource, clock: Clock) -> None:
        self._pool = pool
        self._api = api
        self._credentials = credentials
        self._clock = clock
        self._signer = Signer(api.endpoint, api.region)
        self._route = Route.to(api.endpoint, self._signer.path, api.proxy)

    def describe(self, operation: str, subject: str) -> Call:
        """The request, for error messages."""
        return Call(operation, subject, self._api.endpoint, self._api.region)

    async def post(self, operation: str, subject: str, body: bytes) -> dict[str, Any]:
        """The answer to one request. ``subject`` is the table or stream, for error messages.

        Raises the errors of ``error_answers`` for an error answer, and those of ``_broken`` when there is none.
        """
        credentials = await self._credentials.current()
        target = f"{self._api.target_prefix}.{operation}"
        headers = self._signer.headers(credentials, target, body, self._clock.now())
        try:
            answer = await self._exchange(headers, body)
            if answer.status == 200:
                return answer_of(answer.content)
            raise self._refused(self.describe(operation, subject), answer)
        except CredentialsExpired:
            await self._credentials.renew(credentials)
            raise
        except (ExchangeFailed, orjson.JSONDecodeError) as error:
            raise _broken(self.describe(operation, subject), error) from error

    def _refused(self, call: Call, answer: _Answer) -> Exception:
        error = error_of(call, answer.status, _error_content(answer.content), answer.error_type)
        if isinstance(error, StreamGone) and is_starting(call.subject, self._clock.now()):
            error = Retryable(error.message, reason="stream_starting", remedy=error.remedy)
        if isinstance(error, TablesplitError):
            error.request_id = answer.request_id
        return error

    async def _exchange(self, headers: dict[str, str], body: bytes) -> _Answer:
        status, said, content = await self._pool.post(self._route, headers, body)
        expected = said.get(b"x-amz-crc32")
        if expected is not None and expected != b"%d" % zlib.crc32(content):
            raise Damaged("the answer's CRC32 does not match its content")
        return _Answer(status, _text(said, b"x-amzn-requestid"), _text(said, b"x-amzn-errortype"), content)


def _text(headers: dict[bytes, bytes], name: bytes) -> str:
    return headers.get(name, b"").decode(errors="replace")


def _error_content(content: bytes) -> dict[str, Any]:
    """The content of an error answer. A page that is not DynamoDB's JSON (a proxy's, moto's) is replaced by a message."""
    try:
        answer = orjson.loads(content)
    except orjson.JSONDecodeError:
        return {"message": "its answer is not JSON"}
    return answer if isinstance(answer, dict) else {"message": "its answer is not an object"}


def _broken(call: Call, error: Exception) -> TablesplitError:
    """Our error for what an exchange ended with."""
    match error:
        case ProxyRefused():
            return proxy_error(call, call.endpoint, error.status)
        case ProxyUnreachable():
            line = f"{call}: cannot connect to the proxy {error.address}"
            return Retryable(line, reason="no_connection", remedy=PROXY_REMEDY)
        case NotTrusted():
            line = f"{call}: the certificate of {call.endpoint} is not trusted: {_cause(error)}"
            return Misconfigured(line, remedy=CERTIFICATE_REMEDY)
        case Unreachable():
            line = f"{call}: cannot connect to {call.endpoint}: {_cause(error)}"
            return Retryable(line, reason="no_connection", remedy=CHECK_ENDPOINT)
        case NotOpened():
            line = f"{call}: no connection to {call.endpoint} within {error.seconds:g} s"
            return Retryable(line, reason="timeout", remedy=CHECK_ENDPOINT)
        case Late():
            line = f"{call}: no answer from {call.endpoint} within {error.seconds:g} s"
            return Retryable(line, reason="timeout", remedy=CHECK_ENDPOINT)
        case Closed():
            line = f"{call}: {call.endpoint} closed the connection: {_cause(error)}"
            return Retryable(line, reason="connection_closed")
    return Retryable(f"{call}: damaged answer from {call.endpoint}: {_cause(error)}", reason="damaged_answer")


def _cause(error: Exception) -> str:
    return " ".join(str(error).split())
