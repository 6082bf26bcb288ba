"""Opens connections: the name's addresses are asked for anew each time, then come TCP, the proxy's tunnel, and TLS."""

import asyncio
import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from service.dynamodb.http.connection import Connection
from service.dynamodb.http.failures import ExchangeFailed, NotTrusted, ProxyUnreachable, Unreachable
from service.dynamodb.http.route import Route, Server
from service.dynamodb.http.tunnel import Tunnel

P = TypeVar("P", bound=asyncio.Protocol)

NEXT_ADDRESS_SECONDS = 0.25
"""After which the next address is tried beside one that does not answer: https://www.rfc-editor.org/rfc/rfc8305#section-8."""


async def open_connection(route: Route, tls: ssl.SSLContext, protocol: Callable[[], Connection]) -> Connection:
    """A connection to the route's endpoint. ``tls`` verifies the endpoint, and the proxy where TLS is spoken to it.

    Raises NotTrusted, Unreachable, ProxyUnreachable or ProxyRefused. It has no time limit of its own.
    """
    if route.proxy is None:
        with _explained(Unreachable):
            return await _connect(route.endpoint, tls, protocol)
    with _explained(lambda _: ProxyUnreachable(str(route.proxy))):
        if route.connect is None:
            return await _connect(route.proxy, tls, protocol)
        tunnel = await _connect(route.proxy, tls, Tunnel)
    with _explained(Unreachable):
        return await _through(tunnel, route, tls, protocol())


@contextmanager
def _explained(unreachable: Callable[[str], ExchangeFailed]) -> Iterator[None]:
    """Turns what asyncio raises into a failure of ours: ``unreachable`` of the reason, or NotTrusted."""
    try:
        yield
    except ssl.SSLError as error:
        raise NotTrusted(str(error)) from error
    except (OSError, UnicodeError) as error:  # UnicodeError: the host is no name that DNS can have
        raise unreachable(str(error) or type(error).__name__) from error


async def _connect(server: Server, tls: ssl.SSLContext, protocol: Callable[[], P]) -> P:
    """A new connection of a ``protocol`` to ``server``. Raises OSError or UnicodeError."""
    _, connected = await asyncio.get_running_loop().create_connection(
        protocol,
        server.host,
        server.port,
        ssl=tls if server.tls else None,
        happy_eyeballs_delay=NEXT_ADDRESS_SECONDS,
    )
    return connected


async def _through(tunnel: Tunnel, route: Route, tls: ssl.SSLContext, connection: Connection) -> Connection:
    """``connection`` over the tunnel, with TLS to the endpoint. Raises ProxyRefused or OSError."""
    assert route.connect is not None
    try:
        await tunnel.ask(route.connect)
        secured = await asyncio.get_running_loop().start_tls(
            tunnel.transport, connection, tls, server_hostname=route.endpoint.host
        )
    except BaseException:
        tunnel.transport.abort()
        raise
    if secured is None:
        raise ConnectionError("the proxy ended the tunnel")
    connection.connection_made(secured)
    return connection
