"""One signed HTTP request to DynamoDB, and its verified answer. It has a time limit; it is never retried here."""

import zlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import aiohttp
import orjson
from yarl import URL

from service.clock import Clock
from service.dynamodb.answer_text import answer_of
from service.dynamodb.credentials import CredentialSource
from service.dynamodb.error_answers import Call, error_of
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

    def __init__(
        self,
        http: aiohttp.ClientSession,
        api: Api,
        credentials: CredentialSource,
        clock: Clock,
        timeout_seconds: float,
    ) -> None:
        self._http = http
        self._api = api
        self._credentials = credentials
        self._clock = clock
        self._timeout_seconds = timeout_seconds
        self._url = URL(api.endpoint)
        self._signer = Signer(api.endpoint, api.region)

    def describe(self, operation: str, subject: str) -> Call:
        """The request, for error messages."""
        return Call(operation, subject, self._api.endpoint, self._api.region)

    async def post(self, operation: str, subject: str, body: bytes) -> dict[str, Any]:
        """The answer to one request. ``subject`` is the table or stream, for error messages.

        Raises the errors of ``error_answers`` for an error answer, and those of ``_BROKEN`` for a broken connection.
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
        except (TimeoutError, aiohttp.ClientError, orjson.JSONDecodeError) as error:
            raise self._broken(operation, subject, error) from error

    def _refused(self, call: Call, answer: _Answer) -> Exception:
        error = error_of(call, answer.status, _error_content(answer.content), answer.error_type)
        if isinstance(error, StreamGone) and is_starting(call.subject, self._clock.now()):
            error = Retryable(error.message, reason="stream_starting", remedy=error.remedy)
        if isinstance(error, TablesplitError):
            error.request_id = answer.request_id
        return error

    async def _exchange(self, headers: dict[str, str], body: bytes) -> _Answer:
        sent = self._http.post(self._url, data=body, headers=headers, allow_redirects=False, proxy=self._api.proxy)
        async with sent as answer:
            content = await answer.read()
            expected = answer.headers.get("x-amz-crc32")
            if expected is not None and expected != str(zlib.crc32(content)):
                raise aiohttp.ClientPayloadError("the answer's CRC32 does not match its content")
            said = answer.headers
            return _Answer(answer.status, said.get("x-amzn-requestid", ""), said.get("x-amzn-errortype", ""), content)

    def _broken(self, operation: str, subject: str, error: Exception) -> TablesplitError:
        call = self.describe(operation, subject)
        for kind, explain in _BROKEN:
            if isinstance(error, kind):
                return explain(call, self._timeout_seconds, error)
        raise error


def _error_content(content: bytes) -> dict[str, Any]:
    """The content of an error answer. A page that is not DynamoDB's JSON (a proxy's, moto's) is replaced by a message."""
    try:
        answer = orjson.loads(content)
    except orjson.JSONDecodeError:
        return {"message": "its answer is not JSON"}
    return answer if isinstance(answer, dict) else {"message": "its answer is not an object"}


Explain = Callable[[Call, float, Exception], TablesplitError]


def _certificate(call: Call, _: float, error: Exception) -> TablesplitError:
    return Misconfigured(
        f"{call}: the certificate of {call.endpoint} is not trusted: {error}",
        remedy=CERTIFICATE_REMEDY,
    )


def _proxy_refuses(call: Call, _: float, error: Exception) -> TablesplitError:
    assert isinstance(error, aiohttp.ClientHttpProxyError)
    return proxy_error(call, call.endpoint, error.status)


def _proxy_unreachable(call: Call, _: float, error: Exception) -> TablesplitError:
    assert isinstance(error, aiohttp.ClientProxyConnectionError)
    return Retryable(
        f"{call}: cannot connect to the proxy {error.host}:{error.port}", reason="no_connection", remedy=PROXY_REMEDY
    )


def _unreachable(call: Call, _: float, error: Exception) -> TablesplitError:
    return Retryable(
        f"{call}: cannot connect to {call.endpoint}: {_cause(error)}",
        reason="no_connection",
        remedy=CHECK_ENDPOINT,
    )


def _late(call: Call, timeout_seconds: float, _: Exception) -> TablesplitError:
    return Retryable(
        f"{call}: no answer from {call.endpoint} within {timeout_seconds:g} s",
        reason="timeout",
        remedy=CHECK_ENDPOINT,
    )


def _damaged(call: Call, _: float, error: Exception) -> TablesplitError:
    return Retryable(f"{call}: damaged answer from {call.endpoint}: {_cause(error)}", reason="damaged_answer")


def _closed(call: Call, _: float, error: Exception) -> TablesplitError:
    return Retryable(f"{call}: {call.endpoint} closed the connection: {_cause(error)}", reason="connection_closed")


def _cause(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__


_BROKEN: tuple[tuple[type[Exception], Explain], ...] = (
    (aiohttp.ClientHttpProxyError, _proxy_refuses),
    (aiohttp.ClientProxyConnectionError, _proxy_unreachable),
    (aiohttp.ClientConnectorCertificateError, _certificate),
    (aiohttp.ClientSSLError, _certificate),
    (TimeoutError, _late),
    (aiohttp.ClientConnectorError, _unreachable),
    (aiohttp.ClientPayloadError, _damaged),
    (aiohttp.ClientResponseError, _damaged),
    (orjson.JSONDecodeError, _damaged),
    (aiohttp.ClientError, _closed),
)
"""The first type that matches explains the error, so special types come before general ones."""
