"""Errors as RFC 9457 problem documents, answers as JSON, and the limit on a request's body."""

import json
from dataclasses import asdict
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service.core.phases.gate import GateClosed
from service.core.phases.left_behind import KeysLeftBehind
from service.errors import Misconfigured, Refused, Retryable, Stopped, TablesplitError, Unexpected, as_ours
from service.escape import escaped, escaped_values
from service.log import get_logger

MAX_BODY_BYTES = 64 * 1024
PROBLEM = "application/problem+json"


class EscapedJson(JSONResponse):
    """JSON whose texts may come from an item: it means the same, and is safe on a terminal. It can hold half a surrogate pair too,
    which UTF-8 cannot."""

    def render(self, content: Any) -> bytes:
        return escaped(json.dumps(content, ensure_ascii=False, allow_nan=False, separators=(",", ":"))).encode()


class HttpProblem(Exception):
    """An error answer, in the terms of RFC 9457."""

    def __init__(self, status: int, title: str, detail: str, headers: dict[str, str] | None = None) -> None:
        super().__init__(detail)
        self.status, self.title, self.detail, self.headers = status, title, detail, headers


def problem_answer(
    status: int, title: str, detail: str, headers: dict[str, str] | None = None, **more: Any
) -> JSONResponse:
    """The document, for people to read and so escaped, with the header that a 401 needs."""
    body = {"type": "about:blank", "status": status, "title": title, "detail": detail, **more}
    headers = {"WWW-Authenticate": "Bearer"} if status == 401 else headers
    return EscapedJson(escaped_values(body), status_code=status, media_type=PROBLEM, headers=headers)


def answer_errors(api: FastAPI) -> None:
    """Turn every error that a path raises into a problem document, whose status says what the caller can do."""

    @api.exception_handler(HttpProblem)
    async def problem(_: Request, error: HttpProblem) -> JSONResponse:
        return problem_answer(error.status, error.title, error.detail, error.headers)

    @api.exception_handler(HTTPException)
    async def http_error(_: Request, error: HTTPException) -> JSONResponse:
        return problem_answer(error.status_code, str(error.detail), str(error.detail))

    @api.exception_handler(RequestValidationError)
    async def bad_request(_: Request, error: RequestValidationError) -> JSONResponse:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        return problem_answer(400, "Bad request", f"{where}: {first['msg']}")

    @api.exception_handler(GateClosed)
    async def closed(_: Request, error: GateClosed) -> JSONResponse:
        conditions = [asdict(condition) for condition in error.gate.closed]
        behind = {"left_behind": error.behind.to_json()} if isinstance(error, KeysLeftBehind) else {}
        return problem_answer(409, "The gate is closed", error.message, conditions=conditions, **behind)

    @api.exception_handler(TablesplitError)
    async def tablesplit_error(_: Request, error: TablesplitError) -> JSONResponse:
        detail = f"{error.message} ({error.remedy})" if error.remedy else error.message
        request: dict[str, Any] = {"request_id": error.request_id} if error.request_id else {}
        return problem_answer(_status_of(error), error.kind, detail, None, **request)

    api.add_middleware(_OneLine)


def _status_of(error: TablesplitError) -> int:
    match error:
        case Refused():
            return 409
        case Misconfigured():
            return 400
        case Unexpected():
            return 500
        case Retryable() | Stopped():
            return 503
    return 500


class _OneLine:
    """ASGI middleware: an error that nobody has foreseen is a 500 and one line in the log."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        begun = False

        async def noting(message: Message) -> None:
            nonlocal begun
            begun = True
            await send(message)

        try:
            await self.app(scope, receive, noting)
        except Exception as error:  # noqa: BLE001 (see above)
            unexpected = as_ours(error)
            get_logger().error("a request has failed", path=scope.get("path", ""), **unexpected.to_log())
            if not begun:
                await problem_answer(_status_of(unexpected), unexpected.kind, unexpected.message)(scope, receive, send)


class BodyLimit:
    """ASGI middleware that answers 413 to a body over MAX_BODY_BYTES, before anything parses it."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            body = await _read_at_most(receive, MAX_BODY_BYTES) if scope["type"] == "http" else b""
        except ClientDisconnect:
            return
        if body is None:
            refusal = problem_answer(413, "Content too large", f"the body must be at most {MAX_BODY_BYTES} bytes")
            await refusal(scope, receive, send)
            return
        unread: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

        async def replay() -> Message:
            return unread.pop() if unread else await receive()

        await self.app(scope, replay if scope["type"] == "http" else receive, send)


async def _read_at_most(receive: Receive, limit: int) -> bytes | None:
    """The body; None: it is longer. Raises ClientDisconnect when the client goes away before its end: a part is no request."""
    body = bytearray()
    more = True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientDisconnect
        body += message.get("body", b"")
        more = message.get("more_body", False)
        if len(body) > limit:
            return None
    return bytes(body)
