"""The service's HTTP side: health, metrics, status, phase, validation, quarantine, conflicts; OpenAPI and RFC 9457 errors."""

import hmac
import html
from dataclasses import asdict
from typing import Any, Literal, Protocol

from fastapi import Depends, FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse, JSONResponse, PlainTextResponse
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from pydantic import BaseModel, ConfigDict, Field
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service.core.acting import Phase
from service.core.gate import Gate, GateClosed
from service.errors import Fatal, Misconfigured, Refused, Retryable, TablesplitError

MAX_BODY_BYTES = 64 * 1024
TOKEN_VARIABLE = "TABLESPLIT_API_TOKEN"  # noqa: S105 - its name, not a token
PROBLEM = "application/problem+json"
DOCS_POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)


class PhaseApi(Protocol):
    """The phase, its gate and its moves."""

    async def gate(self, to: Phase | None) -> Gate:
        """The gate of the move to ``to``, of the one that leads on without it. Raises Refused when there is no such move."""

    async def phase(self) -> dict[str, Any]: ...

    async def start(self, to: Phase, why: str, forced: tuple[str, ...]) -> None:
        """Begin a move. Raises GateClosed, or another Refused."""


class ServiceView(Protocol):
    """What the HTTP side shows and starts; implemented by the composition root."""

    @property
    def phases(self) -> PhaseApi: ...

    def unready(self) -> str | None:
        """Why this process can't do its work now, or None."""

    async def metrics(self, accept: str) -> tuple[bytes, str]:
        """The metrics page and its content type, for who sent this Accept header."""

    async def status(self) -> dict[str, Any]: ...

    async def validation(self, run_id: str | None) -> dict[str, Any] | None:
        """The report of a run, of the latest one without ``run_id``; None when there is none."""

    async def start_validation(self, request: "ValidationRequest") -> str:
        """Start a run and return its id. Raises Refused while one runs here."""

    async def quarantine(self) -> dict[str, Any]: ...

    async def conflicts(self) -> dict[str, Any]: ...


class ValidationRequest(BaseModel):
    """What to validate. Nothing given: everything. Repair is a command for a person: `tablesplit validate --repair`."""

    model_config = ConfigDict(extra="forbid", strict=True)

    entity: str | None = Field(default=None, description="only this entity")
    sample: int | None = Field(default=None, ge=1, description="only about this many items of each entity")


class PhaseRequest(BaseModel):
    """Where to move the phase; back to the phase that is left gives a move up that has only begun. An override is asked for
    twice: in ``force`` and, the same, in ``force_again``. Completing is a command for a person: `tablesplit complete`."""

    model_config = ConfigDict(extra="forbid", strict=True)

    to: Literal["forward", "dual", "reverse"]
    why: str = Field(default="", description="the reason, for the audit log")
    force: list[str] = Field(default_factory=list, description="conditions of the gate to override")
    force_again: list[str] = Field(default_factory=list, description="the same once more")


class Problem(Exception):
    """An answer that is an error, as RFC 9457 words it."""

    def __init__(self, status: int, title: str, detail: str) -> None:
        super().__init__(detail)
        self.status, self.title, self.detail = status, title, detail


def create_http_api(view: ServiceView, token: str | None) -> FastAPI:
    """The application. ``token``: what a POST must bear; without one every POST is refused, saying which variable to set."""
    api = FastAPI(title="tablesplit", docs_url=None, redoc_url=None, openapi_url="/openapi.json")
    _answer_errors(api)
    _add_probes(api, view)
    _add_reads(api, view)
    _add_phase_reads(api, view)
    _add_posts(api, view, token)
    _add_docs(api)
    api.add_middleware(BodyLimit)
    return api


def _problem(status: int, title: str, detail: str, **more: Any) -> JSONResponse:
    body = {"type": "about:blank", "status": status, "title": title, "detail": detail, **more}
    headers = {"WWW-Authenticate": "Bearer"} if status == 401 else None
    return JSONResponse(body, status_code=status, media_type=PROBLEM, headers=headers)


def _answer_errors(api: FastAPI) -> None:
    @api.exception_handler(Problem)
    async def problem(_: Request, error: Problem) -> JSONResponse:
        return _problem(error.status, error.title, error.detail)

    @api.exception_handler(HTTPException)
    async def http_error(_: Request, error: HTTPException) -> JSONResponse:
        return _problem(error.status_code, str(error.detail), str(error.detail))

    @api.exception_handler(RequestValidationError)
    async def bad_request(_: Request, error: RequestValidationError) -> JSONResponse:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        return _problem(400, "Bad request", f"{where}: {first['msg']}")

    @api.exception_handler(GateClosed)
    async def closed(_: Request, error: GateClosed) -> JSONResponse:
        conditions = [asdict(condition) for condition in error.gate.closed]
        return _problem(409, "The gate is closed", error.message, conditions=conditions)

    @api.exception_handler(TablesplitError)
    async def ours(_: Request, error: TablesplitError) -> JSONResponse:
        detail = f"{error.message} ({error.remedy})" if error.remedy else error.message
        return _problem(_status_of(error), error.kind, detail)


def _status_of(error: TablesplitError) -> int:
    match error:
        case Refused():
            return 409
        case Misconfigured():
            return 400
        case Retryable() | Fatal():
            return 503
    return 500


class BodyLimit:
    """ASGI layer that answers 413 to a body over MAX_BODY_BYTES, before anything parses it."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        body = await _read_at_most(receive, MAX_BODY_BYTES) if scope["type"] == "http" else b""
        if body is None:
            refusal = _problem(413, "Content too large", f"the body must be at most {MAX_BODY_BYTES} bytes")
            await refusal(scope, receive, send)
            return
        unread: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

        async def replay() -> Message:
            return unread.pop() if unread else await receive()

        await self.app(scope, replay if scope["type"] == "http" else receive, send)


async def _read_at_most(receive: Receive, limit: int) -> bytes | None:
    body = bytearray()
    more = True
    while more:
        message = await receive()
        body += message.get("body", b"")
        more = message.get("more_body", False)
        if len(body) > limit:
            return None
    return bytes(body)


def _add_probes(api: FastAPI, view: ServiceView) -> None:
    @api.get("/healthz", summary="The process is alive", response_class=PlainTextResponse)
    async def healthz() -> str:
        return "ok\n"

    @api.get("/readyz", summary="The process does its work; 503 says why not", response_class=PlainTextResponse)
    async def readyz() -> str:
        reason = view.unready()
        if reason is not None:
            raise Problem(503, "Not ready", reason)
        return "ready\n"

    @api.get("/metrics", summary="Prometheus metrics", response_class=PlainTextResponse)
    async def metrics(request: Request) -> Response:
        content, content_type = await view.metrics(request.headers.get("accept", ""))
        return Response(content, headers={"Content-Type": content_type})


def _add_reads(api: FastAPI, view: ServiceView) -> None:
    @api.get("/v1/status", summary="One snapshot of the whole migration")
    async def status() -> dict[str, Any]:
        return await view.status()

    @api.get("/v1/validation", summary="The latest validation report")
    async def latest() -> dict[str, Any]:
        return _found(await view.validation(None), "no validation has been run")

    @api.get("/v1/validation/{run_id}", summary="One validation run")
    async def one(run_id: str) -> dict[str, Any]:
        return _found(await view.validation(run_id), f"no validation run {run_id!r}")

    @api.get("/v1/quarantine", summary="The items that need a person")
    async def quarantine() -> dict[str, Any]:
        return await view.quarantine()

    @api.get("/v1/conflicts", summary="Changes that lost against v2, and items with two live keys")
    async def conflicts() -> dict[str, Any]:
        return await view.conflicts()


def _add_phase_reads(api: FastAPI, view: ServiceView) -> None:
    @api.get("/v1/gate", summary="Whether the phase may move, condition by condition")
    async def gate(to: Phase | None = None) -> dict[str, Any]:
        return (await view.phases.gate(to)).to_json()

    @api.get("/v1/phase", summary="The phase, and the move under way")
    async def phase() -> dict[str, Any]:
        return await view.phases.phase()


def _found(document: dict[str, Any] | None, otherwise: str) -> dict[str, Any]:
    if document is None:
        raise Problem(404, "Not found", otherwise)
    return document


def _add_posts(api: FastAPI, view: ServiceView, token: str | None) -> None:
    async def authorized(given: HTTPAuthorizationCredentials | None = Depends(HTTPBearer(auto_error=False))) -> None:  # noqa: B008 - FastAPI's way
        if token is None:
            raise Problem(403, "No token configured", f"set {TOKEN_VARIABLE} for the service to allow this request")
        if given is None:
            raise Problem(401, "Token missing", "send the header Authorization: Bearer <token>")
        if not hmac.compare_digest(given.credentials.encode(), token.encode()):
            raise Problem(401, "Token wrong", f"the token is not the one in the service's {TOKEN_VARIABLE}")

    @api.post("/v1/validation", summary="Start a validation", status_code=202, dependencies=[Depends(authorized)])
    async def start(request: ValidationRequest) -> dict[str, str]:
        run_id = await view.start_validation(request)
        return {"id": run_id, "location": f"/v1/validation/{run_id}"}

    @api.post("/v1/phase", summary="Move the phase", status_code=202, dependencies=[Depends(authorized)])
    async def move(request: PhaseRequest) -> dict[str, str]:
        if set(request.force) != set(request.force_again):
            raise Problem(
                400, "Override not repeated", "an override is asked for twice: repeat `force` in `force_again`"
            )
        await view.phases.start(request.to, request.why, tuple(request.force))
        return {"to": request.to, "location": "/v1/phase"}


def _add_docs(api: FastAPI) -> None:
    @api.get("/docs", include_in_schema=False)
    async def docs() -> HTMLResponse:
        page = _docs_page(api.openapi())
        return HTMLResponse(page, headers={"Content-Security-Policy": DOCS_POLICY})


def _docs_page(schema: dict[str, Any]) -> str:
    """The OpenAPI document as one plain page; nothing is loaded from elsewhere."""
    rows = "".join(
        f"<tr><td><code>{method.upper()}</code></td><td><code>{html.escape(path)}</code></td>"
        f"<td>{html.escape(operation['summary'])}</td></tr>"
        for path, operations in schema["paths"].items()
        for method, operation in operations.items()
    )
    return (
        '<!doctype html><html lang="en"><meta charset="utf-8"><title>tablesplit API</title>'
        "<style>body{font:1rem system-ui;max-width:60rem;margin:2rem auto}td{padding:.3rem 1rem .3rem 0}</style>"
        f'<h1>tablesplit API</h1><p>The whole description: <a href="/openapi.json">/openapi.json</a> (OpenAPI). '
        f"Every POST needs <code>Authorization: Bearer &lt;token&gt;</code>.</p><table>{rows}</table></html>"
    )
