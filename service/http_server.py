"""Serving the HTTP side inside this process's event loop."""

import asyncio
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager

import uvicorn

from service.config import Settings
from service.errors import Misconfigured
from service.http_api import ServiceView, create_http_api

DRAIN_SECONDS = 3


class _Server(uvicorn.Server):
    """Leaves the signals to the command line, which stops everything in order."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


@asynccontextmanager
async def serve_http(settings: Settings, view: ServiceView) -> AsyncIterator[str]:
    """Serve for the block; yields the address. Raises Misconfigured when the port cannot be had."""
    token = settings.api_token.get_secret_value() if settings.api_token else None
    listener = _listen(settings.http_host, settings.http_port)
    server = _Server(
        uvicorn.Config(
            create_http_api(view, token),
            log_config=None,
            access_log=False,
            lifespan="off",
            timeout_graceful_shutdown=DRAIN_SECONDS,
        )
    )
    serving = asyncio.create_task(server.serve(sockets=[listener]))
    try:
        yield f"http://{settings.http_host}:{settings.http_port}"
    finally:
        server.should_exit = True
        await serving


def _listen(host: str, port: int) -> socket.socket:
    try:
        return socket.create_server((host, port))
    except OSError as error:
        raise Misconfigured(
            f"cannot listen on {host}:{port}: {error.strerror}",
            remedy="stop what listens there, or set TABLESPLIT_HTTP_PORT (TABLESPLIT_HTTP_HOST)",
        ) from error
