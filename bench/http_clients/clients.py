"""The clients, each as one function that sends a POST and returns its answer, with as little around it as it needs.

``python -m bench.http_clients.clients CLIENT LOOP URL BUNDLE REQUESTS`` prints the microseconds of CPU that one request takes.
"""

import asyncio
import gc
import importlib
import io
import ssl
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any
from urllib.parse import urlsplit

import aiohttp
import httptools
from yarl import URL

from bench.http_clients.server import CONTENT
from service.dynamodb.http.pool import Limits, open_pool
from service.dynamodb.http.route import Route

AT_ONCE = 50
WARM = 1_000
BODY = b'{"text":"' + b"x" * 1000 + b'"}'
SECONDS, OPEN_SECONDS = 10.0, 5.0

Said = tuple[int, Mapping[Any, Any], bytes]
"""Status, headers and content."""

Post = Callable[[dict[str, str]], Awaitable[Said]]
Opened = AbstractAsyncContextManager[Post]


@asynccontextmanager
async def ours(url: str, bundle: str) -> AsyncIterator[Post]:
    """``service.dynamodb.http``, with all that it promises."""
    async with open_pool(Limits(64, OPEN_SECONDS, SECONDS), ssl.create_default_context(cafile=bundle)) as pool:
        route = Route.to(url, "/", None)

        async def post(headers: dict[str, str]) -> Said:
            return await pool.post(route, headers, BODY)

        yield post


@asynccontextmanager
async def with_aiohttp(url: str, bundle: str) -> AsyncIterator[Post]:
    """aiohttp as the data plane used it."""
    session = aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=64, ttl_dns_cache=60, ssl=ssl.create_default_context(cafile=bundle)),
        timeout=aiohttp.ClientTimeout(total=SECONDS, sock_connect=OPEN_SECONDS),
        cookie_jar=aiohttp.DummyCookieJar(),
        auto_decompress=False,
        skip_auto_headers=("Accept", "Accept-Encoding", "User-Agent", "Content-Type"),
    )
    async with session as http:
        target = URL(url)

        async def post(headers: dict[str, str]) -> Said:
            async with http.post(target, data=BODY, headers=headers, allow_redirects=False) as answer:
                return answer.status, answer.headers, await answer.read()

        yield post


class Bare(asyncio.Protocol):
    """A connection that parses and does nothing else."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport: Any = transport
        self.parser = httptools.HttpResponseParser(self)

    def send(self, request: bytes) -> asyncio.Future[Said]:
        self.chunks: list[bytes] = []
        self.headers: dict[bytes, bytes] = {}
        self.answered: asyncio.Future[Said] = asyncio.get_running_loop().create_future()
        self.transport.write(request)
        return self.answered

    def data_received(self, data: bytes) -> None:
        self.parser.feed_data(data)

    def on_header(self, name: bytes, value: bytes) -> None:
        self.headers[name.lower()] = value

    def on_body(self, chunk: bytes) -> None:
        self.chunks.append(chunk)

    def on_message_complete(self) -> None:
        self.answered.set_result((self.parser.get_status_code(), self.headers, b"".join(self.chunks)))


@asynccontextmanager
async def bare_httptools(url: str, bundle: str) -> AsyncIterator[Post]:
    """The floor: httptools and a list of connections, without any limit, deadline or check."""
    parts, idle, opened = urlsplit(url), list[Bare](), list[Bare]()
    tls = ssl.create_default_context(cafile=bundle) if parts.scheme == "https" else None

    async def post(headers: dict[str, str]) -> Said:
        if idle:
            connection = idle.pop()
        else:
            loop = asyncio.get_running_loop()
            _, connection = await loop.create_connection(Bare, parts.hostname, parts.port, ssl=tls)
            opened.append(connection)
        lines = "".join([f"{name}: {value}\r\n" for name, value in headers.items()])
        head = f"POST / HTTP/1.1\r\n{lines}content-length: {len(BODY)}\r\n\r\n"
        answer = await connection.send(head.encode() + BODY)
        idle.append(connection)
        return answer

    yield post
    for connection in opened:
        connection.transport.abort()


class Multi:
    """libcurl's multi interface on the event loop: https://curl.se/libcurl/c/libcurl-multi.html."""

    def __init__(self, pycurl: Any) -> None:
        self.pycurl, self.loop = pycurl, asyncio.get_running_loop()
        self.multi = pycurl.CurlMulti()
        self.multi.setopt(pycurl.M_SOCKETFUNCTION, self.watch)
        self.multi.setopt(pycurl.M_TIMERFUNCTION, self.set_timer)
        self.timer: asyncio.Handle | None = None
        self.watched: dict[int, int] = {}
        self.waiting: dict[Any, asyncio.Future[None]] = {}

    def send(self, handle: Any) -> asyncio.Future[None]:
        answered = self.waiting[handle] = self.loop.create_future()
        self.multi.add_handle(handle)
        return answered

    def watch(self, wanted: int, socket: int, *_: object) -> None:
        wanted = 0 if wanted == self.pycurl.POLL_REMOVE else wanted
        before, self.watched[socket] = self.watched.get(socket, 0), wanted
        if before & ~wanted & self.pycurl.POLL_IN:
            self.loop.remove_reader(socket)
        if before & ~wanted & self.pycurl.POLL_OUT:
            self.loop.remove_writer(socket)
        if wanted & ~before & self.pycurl.POLL_IN:
            self.loop.add_reader(socket, self.act, socket, self.pycurl.CSELECT_IN)
        if wanted & ~before & self.pycurl.POLL_OUT:
            self.loop.add_writer(socket, self.act, socket, self.pycurl.CSELECT_OUT)

    def set_timer(self, milliseconds: int) -> None:
        if self.timer is not None:
            self.timer.cancel()
        args = (self.act, self.pycurl.SOCKET_TIMEOUT, 0)
        self.timer = None
        if milliseconds == 0:
            self.timer = self.loop.call_soon(*args)
        elif milliseconds > 0:
            self.timer = self.loop.call_later(milliseconds / 1000, *args)

    def act(self, socket: int, what: int) -> None:
        self.multi.socket_action(socket, what)
        left = 1
        while left:
            left, good, bad = self.multi.info_read()
            for handle in [*good, *(one[0] for one in bad)]:
                self.multi.remove_handle(handle)
                self.waiting.pop(handle).set_result(None)


@asynccontextmanager
async def with_pycurl(url: str, bundle: str) -> AsyncIterator[Post]:
    """pycurl; its handles are used again and again."""
    pycurl: Any = importlib.import_module("pycurl")
    multi, idle = Multi(pycurl), list[Any]()

    def new() -> Any:
        handle = pycurl.Curl()
        options = {"URL": url, "CAINFO": bundle, "POST": 1, "NOSIGNAL": 1}
        limits = {"TIMEOUT_MS": int(SECONDS * 1000), "CONNECTTIMEOUT_MS": int(OPEN_SECONDS * 1000)}
        for name, value in (options | limits).items():
            handle.setopt(getattr(pycurl, name), value)
        return handle

    async def post(headers: dict[str, str]) -> Said:
        handle = idle.pop() if idle else new()
        said, chunks = list[bytes](), list[bytes]()
        lines = [f"{name}: {value}" for name, value in headers.items()]
        handle.setopt(pycurl.HTTPHEADER, [*lines, "Accept:", "User-Agent:", "Expect:"])
        handle.setopt(pycurl.POSTFIELDS, BODY)
        handle.setopt(pycurl.HEADERFUNCTION, said.append)
        handle.setopt(pycurl.WRITEFUNCTION, chunks.append)
        await multi.send(handle)
        status = handle.getinfo(pycurl.RESPONSE_CODE)
        idle.append(handle)
        return status, _headers_of(said), b"".join(chunks)

    yield post


def _headers_of(lines: list[bytes]) -> dict[bytes, bytes]:
    """The headers in the lines of a head, by their names in lower case."""
    pairs = [line.partition(b":") for line in lines[1:]]
    return {name.lower(): value.strip() for name, colon, value in pairs if colon}


@asynccontextmanager
async def with_curl_cffi(url: str, bundle: str) -> AsyncIterator[Post]:
    """curl_cffi's asyncio bridge, under its session; its handles are used again and again."""
    curl_cffi: Any = importlib.import_module("curl_cffi")
    option, multi, idle = curl_cffi.CurlOpt, curl_cffi.AsyncCurl(), list[Any]()

    async def post(headers: dict[str, str]) -> Said:
        handle, content, said = idle.pop() if idle else curl_cffi.Curl(), io.BytesIO(), io.BytesIO()
        lines = [f"{name}: {value}".encode() for name, value in headers.items()]
        options = {
            option.URL: url.encode(),
            option.CAINFO: bundle.encode(),
            option.POSTFIELDSIZE: len(BODY),
            option.POSTFIELDS: BODY,
            option.HTTPHEADER: [*lines, b"Accept:", b"User-Agent:", b"Expect:"],
            option.WRITEDATA: content,
            option.HEADERDATA: said,
            option.TIMEOUT_MS: int(SECONDS * 1000),
        }
        for name, value in options.items():
            handle.setopt(name, value)
        await multi.add_handle(handle)
        status = handle.getinfo(curl_cffi.CurlInfo.RESPONSE_CODE)
        handle.reset()
        idle.append(handle)
        return status, _headers_of(said.getvalue().splitlines()), content.getvalue()

    yield post
    await multi.close()


CLIENTS: dict[str, Callable[[str, str], Opened]] = {
    "httptools, nothing around it": bare_httptools,
    "ours": ours,
    "aiohttp": with_aiohttp,
    "pycurl": with_pycurl,
    "curl_cffi": with_curl_cffi,
}


async def measured(client: str, url: str, bundle: str, requests: int) -> float:
    """Microseconds of CPU for a request, AT_ONCE of them at once."""
    async with CLIENTS[client](url, bundle) as post:
        await _drive(post, url, WARM)
        gc.collect()
        gc.freeze()
        before = time.process_time()
        await _drive(post, url, requests)
        return (time.process_time() - before) / requests * 1e6


async def _drive(post: Post, url: str, requests: int) -> None:
    numbers = iter(range(requests))

    async def ask() -> None:
        for number in numbers:
            status, said, content = await post(_headers(url, number))
            assert status == 200
            assert len(said) >= 7
            assert len(content) == len(CONTENT)

    await asyncio.gather(*[ask() for _ in range(AT_ONCE)])


def _headers(url: str, number: int) -> dict[str, str]:
    """Those of a signed request; each has a signature of its own."""
    scope = "AKIA/20260101/eu-central-1/dynamodb/aws4_request"
    names = "content-type;host;x-amz-date;x-amz-target"
    return {
        "content-type": "application/x-amz-json-1.0",
        "host": urlsplit(url).netloc,
        "x-amz-date": "20260101T000000Z",
        "x-amz-target": "DynamoDB_20120810.PutItem",
        "authorization": f"AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders={names}, Signature={number:064x}",
    }


def main() -> None:
    """Measure one client on one event loop."""
    client, loop, url, bundle, requests = sys.argv[1:]
    factory = importlib.import_module("uvloop").new_event_loop if loop == "uvloop" else None
    with asyncio.Runner(loop_factory=factory) as runner:
        print(runner.run(measured(client, url, bundle, int(requests))))


if __name__ == "__main__":
    main()
