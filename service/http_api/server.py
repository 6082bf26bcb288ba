"""The HTTP servers, inside this process's event loop: the whole API for `sync`, and the metrics alone for a backfill."""

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from functools import partial
from typing import Any, cast

import uvicorn
from fastapi import Depends, FastAPI
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from service.clock import Clock
from service.config import Settings, variable_name
from service.errors import Misconfigured
from service.http_api.access import Access, HostCheck, access_of, token_required, token_to_read
from service.http_api.connections import HEAD_BYTES, BoundedConnection, Connections, connections_at_most
from service.http_api.console import add_console
from service.http_api.contract import ServiceView
from service.http_api.docs_page import add_docs
from service.http_api.listener import BACKLOG, HANDSHAKES, Listener
from service.http_api.openapi import Documented, describe, operation_id
from service.http_api.posts import add_posts
from service.http_api.problems import BodyLimit, EscapedJson, answer_errors
from service.http_api.reads import add_phase_reads, add_probes, add_reads
from service.http_api.settlement_routes import add_settlement_posts, add_settlement_reads
from service.http_api.wrong_tokens import WrongTokens
from service.telemetry.metrics import Metrics

DRAIN_SECONDS = 3
"""For the requests that are under way when the server stops."""


@asynccontextmanager
async def serve_http(settings: Settings, view: ServiceView, clock: Clock) -> AsyncIterator[str]:
    """Serve the API for the block; yields its address. Raises Misconfigured for a port or a certificate that cannot be used."""
    api = create_http_api(view, access_of(settings), clock)
    async with _serve(api, settings, settings.http_port, "http_port", clock) as address:
        yield address


def create_http_api(view: ServiceView, access: Access, clock: Clock) -> FastAPI:
    """The application, for those whom ``access`` lets in."""
    api = FastAPI(
        docs_url=None,
        redoc_url=None,
        default_response_class=EscapedJson,
        generate_unique_id_function=operation_id,
    )
    required = token_required(access, WrongTokens(clock))
    readers = token_to_read(access, required)
    answer_errors(api)
    add_console(api, view, readers)
    add_probes(api, view)
    reads, acts = Documented(api, readers), Documented(api, [Depends(required)])
    add_reads(reads, view)
    add_phase_reads(reads, view)
    add_posts(acts, view, required)
    add_settlement_reads(reads, view)
    add_settlement_posts(acts, view, required)
    add_docs(api)
    describe(api)
    api.add_middleware(BodyLimit)
    api.add_middleware(HostCheck, hosts=access.hosts)
    return api


@asynccontextmanager
async def serve_metrics(settings: Settings, metrics: Metrics, clock: Clock) -> AsyncIterator[str | None]:
    """Serve a backfill's metrics for the block; yields the address, or None where the settings give no port.

    Raises Misconfigured when the port cannot be opened.
    """
    if settings.backfill_http_port is None:
        yield None
        return
    api = HostCheck(_create_metrics_api(metrics), access_of(settings).hosts)
    async with _serve(api, settings, settings.backfill_http_port, "backfill_http_port", clock) as address:
        metrics.set_ready(True)
        yield address


def _create_metrics_api(metrics: Metrics) -> Starlette:
    """The application: /metrics, and /healthz, which says that the process is alive."""

    async def page(request: Request) -> Response:
        content, content_type = metrics.page(request.headers.get("accept", ""))
        return Response(content, headers={"Content-Type": content_type})

    async def healthz(_: Request) -> Response:
        return PlainTextResponse("ok\n")

    return Starlette(routes=[Route("/metrics", page), Route("/healthz", healthz)])


class _Server(uvicorn.Server):
    """Leaves the signals to the command line, which stops everything in order."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


@asynccontextmanager
async def _serve(api: ASGIApp, settings: Settings, port: int, setting: str, clock: Clock) -> AsyncIterator[str]:
    _require_certificate(settings)
    at_most = connections_at_most()
    connections = Connections(at_most, clock)
    opened = _opened(settings.http_host, port, setting)
    listener = Listener(opened, HANDSHAKES * at_most + BACKLOG, connections, clock)
    server = _Server(_config(api, settings, connections))
    serving = asyncio.create_task(server.serve(sockets=[listener]))
    watching = asyncio.gather(connections.watch(), listener.watch())
    try:
        yield f"{'https' if settings.http_certificate else 'http'}://{settings.http_host}:{port}"
    finally:
        server.should_exit = True
        await serving
        watching.cancel()
        with suppress(asyncio.CancelledError):
            await watching


def _config(api: ASGIApp, settings: Settings, connections: Connections) -> uvicorn.Config:
    """X-Forwarded-For counts only from the proxies that the operator names: anybody else could take any address with it."""
    return uvicorn.Config(
        api,
        http=cast(Any, partial(BoundedConnection, among=connections)),
        ws="none",
        backlog=BACKLOG,
        h11_max_incomplete_event_size=HEAD_BYTES,
        log_config=None,
        access_log=False,
        lifespan="off",
        timeout_graceful_shutdown=DRAIN_SECONDS,
        proxy_headers=settings.http_proxies is not None,
        forwarded_allow_ips=settings.http_proxies or "",
        ssl_certfile=settings.http_certificate,
        ssl_keyfile=settings.http_certificate_key,
    )


def _require_certificate(settings: Settings) -> None:
    """Raises Misconfigured when certificate and key do not belong together, cannot be read, or want a password."""
    if settings.http_certificate is None:
        return
    try:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(settings.http_certificate, settings.http_certificate_key, password=lambda: "")
    except (OSError, ValueError) as error:
        raise Misconfigured(
            f"the certificate {settings.http_certificate} cannot be used with its key: {error}",
            remedy=f"give PEM files, the key without a password, in {variable_name('http_certificate')} and "
            f"{variable_name('http_certificate_key')}",
        ) from error


def _opened(host: str, port: int, setting: str) -> socket.socket:
    try:
        return socket.create_server((host, port), backlog=BACKLOG)
    except OSError as error:
        raise Misconfigured(
            f"cannot listen on {host}:{port}: {error.strerror}",
            remedy=f"stop the program that listens there, or set {variable_name(setting)} ({variable_name('http_host')})",
        ) from error
