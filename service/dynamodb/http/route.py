"""The way to one endpoint: straight, or by a proxy, which is asked for a tunnel when the endpoint speaks TLS."""

import base64
from dataclasses import dataclass
from typing import Self
from urllib.parse import SplitResult, unquote, urlsplit

_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True)
class Server:
    """Where a TCP connection leads, and whether TLS is spoken there."""

    host: str
    port: int
    tls: bool

    @classmethod
    def of(cls, url: SplitResult) -> Self:
        """The server that ``url``, a valid one of HTTP, names."""
        return cls(url.hostname or "", url.port or _PORTS[url.scheme], url.scheme == "https")

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


@dataclass(frozen=True, slots=True)
class Route:
    """``request_lines``: how each request to the endpoint begins. ``connect``: the request for a tunnel, if one is needed."""

    endpoint: Server
    proxy: Server | None
    request_lines: bytes
    connect: bytes | None

    @classmethod
    def to(cls, endpoint: str, path: str, proxy: str | None) -> Self:
        """The way to the URL ``endpoint``, where requests go to ``path``, by the proxy at the URL ``proxy``, if there is one."""
        server = Server.of(urlsplit(endpoint))
        if proxy is None:
            return cls(server, None, _lines(f"POST {path} HTTP/1.1"), None)
        url = urlsplit(proxy)
        login = _login(url)
        if server.tls:
            connect = _lines(f"CONNECT {server} HTTP/1.1", f"Host: {server}", *login, "")
            return cls(server, Server.of(url), _lines(f"POST {path} HTTP/1.1"), connect)
        return cls(server, Server.of(url), _lines(f"POST http://{server}{path} HTTP/1.1", *login), None)


def _login(proxy: SplitResult) -> list[str]:
    """The header with the proxy's user and password: https://www.rfc-editor.org/rfc/rfc7617."""
    if proxy.username is None:
        return []
    pair = f"{unquote(proxy.username)}:{unquote(proxy.password or '')}"
    return [f"Proxy-Authorization: Basic {base64.b64encode(pair.encode()).decode()}"]


def _lines(*lines: str) -> bytes:
    return "".join([f"{line}\r\n" for line in lines]).encode()
