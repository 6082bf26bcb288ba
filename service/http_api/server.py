"""Serving the HTTP side inside this process's event loop."""

import asyncio
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from service.clock import Clock
from service.config import Settings, variable_name
from service.errors import Misconfigured
from service.http_api import ServiceView, create_http_api
from service.metrics import Metrics


def create_metrics_api(metrics: Metrics) -> Starlette:
    """The application: /metrics, and /healthz, which says that the process lives."""

    async def page(request: Request) -> Response:
        content, content_type = metrics.page(request.headers.get("accept", ""))
        return Response(content, headers={"Content-Type": content_type})

    async def healthz(_: Request) -> Response:
        return PlainTextResponse("ok\n")

    return Starlette(routes=[Route("/metrics", page), Route("/healthz", healthz)])


DRAIN_SECONDS = 3


class _Server(uvicorn.Server):
    """Leaves the signals to the command line, which stops everything in order."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


@asynccontextmanager
async def serve_http(settings: Settings, view: ServiceView, clock: Clock) -> AsyncIterator[str]:
    """Serve for the block; yields the address. Raises Misconfigured when the port cannot be had."""
    token = settings.api_token.get_secret_value() if settings.api_token else None
    async with _serving(
        create_http_api(view, token, clock), settings.http_host, settings.http_port, "http_port"
    ) as address:
        yield address


@asynccontextmanager
async def serve_metrics(settings: Settings, metrics: Metrics) -> AsyncIterator[str | None]:
    """Serve a backfill's metrics for the block; yields the address, None where the settings give no port for it.

    Raises Misconfigured when the port cannot be had.
    """
    if settings.backfill_http_port is None:
        yield None
        return
    api = create_metrics_api(metrics)
    async with _serving(api, settings.http_host, settings.backfill_http_port, "backfill_http_port") as address:
        metrics.set_ready(True)
        yield address


@asynccontextmanager
async def _serving(api: ASGIApp, host: str, port: int, setting: str) -> AsyncIterator[str]:
    listener = _listen(host, port, setting)
    server = _Server(
        uvicorn.Config(api, log_config=None, access_log=False, lifespan="off", timeout_graceful_shutdown=DRAIN_SECONDS)
    )
    serving = asyncio.create_task(server.serve(sockets=[listener]))
    try:
        yield f"http://{host}:{port}"
    finally:
        server.should_exit = True
        await serving


def _listen(host: str, port: int, setting: str) -> socket.socket:
    try:
        return socket.create_server((host, port))
    except OSError as error:
        raise Misconfigured(
            f"cannot listen on {host}:{port}: {error.strerror}",
            remedy=f"stop what listens there, or set {variable_name(setting)} ({variable_name('http_host')})",
        ) from error
