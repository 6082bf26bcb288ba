"""The HTTP servers, inside this process's event loop: the whole API for `sync`, and the metrics alone for a backfill."""

import asyncio
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from functools import partial
from typing import Any, cast

import uvicorn
from fastapi import FastAPI
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from service.clock import Clock
from service.config import Settings, variable_name
from service.errors import Misconfigured
from service.http_api.connections import (
    BACKLOG,
    HEAD_BYTES,
    BoundedConnection,
    Connections,
    Listener,
    connections_at_most,
)
from service.http_api.console import add_console
from service.http_api.contract import ServiceView
from service.http_api.docs_page import add_docs
from service.http_api.posts import add_posts
from service.http_api.problems import BodyLimit, answer_errors
from service.http_api.reads import add_phase_reads, add_probes, add_reads
from service.metrics import Metrics

DRAIN_SECONDS = 3
"""For the requests that are under way when the server stops."""


@asynccontextmanager
async def serve_http(settings: Settings, view: ServiceView, clock: Clock) -> AsyncIterator[str]:
    """Serve the API for the block; yields its address. Raises Misconfigured when the port cannot be opened."""
    token = settings.api_token.get_secret_value() if settings.api_token else None
    api = create_http_api(view, token, clock)
    async with _serve(api, settings.http_host, settings.http_port, "http_port", clock) as address:
        yield address


def create_http_api(view: ServiceView, token: str | None, clock: Clock) -> FastAPI:
    """The application. ``token``: what a POST must send; without one, every POST is refused with the variable to set."""
    api = FastAPI(title="tablesplit", docs_url=None, redoc_url=None, openapi_url="/openapi.json")
    answer_errors(api)
    add_console(api, view)
    add_probes(api, view)
    add_reads(api, view)
    add_phase_reads(api, view)
    add_posts(api, view, token, clock)
    add_docs(api)
    api.add_middleware(BodyLimit)
    return api


@asynccontextmanager
async def serve_metrics(settings: Settings, metrics: Metrics, clock: Clock) -> AsyncIterator[str | None]:
    """Serve a backfill's metrics for the block; yields the address, or None where the settings give no port.

    Raises Misconfigured when the port cannot be opened.
    """
    if settings.backfill_http_port is None:
        yield None
        return
    api = _create_metrics_api(metrics)
    async with _serve(api, settings.http_host, settings.backfill_http_port, "backfill_http_port", clock) as address:
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
async def _serve(api: ASGIApp, host: str, port: int, setting: str, clock: Clock) -> AsyncIterator[str]:
    listener = _listen(host, port, setting)
    connections = Connections(connections_at_most(), clock)
    server = _Server(_config(api, connections))
    serving = asyncio.create_task(server.serve(sockets=[listener]))
    watching = asyncio.create_task(connections.watch())
    try:
        yield f"http://{host}:{port}"
    finally:
        server.should_exit = True
        await serving
        watching.cancel()
        with suppress(asyncio.CancelledError):
            await watching


def _config(api: ASGIApp, connections: Connections) -> uvicorn.Config:
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
    )


def _listen(host: str, port: int, setting: str) -> socket.socket:
    try:
        return Listener(socket.create_server((host, port), backlog=BACKLOG))
    except OSError as error:
        raise Misconfigured(
            f"cannot listen on {host}:{port}: {error.strerror}",
            remedy=f"stop the program that listens there, or set {variable_name(setting)} ({variable_name('http_host')})",
        ) from error
