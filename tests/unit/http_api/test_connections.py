"""What clients can take of the process that the lanes share: connections, file descriptors, and time."""

import asyncio
import os
import resource
import socket
import ssl
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from itertools import combinations
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from service.config import Settings
from service.http_api.connections import (
    CONNECTIONS_AT_MOST,
    READER_SECONDS,
    SECONDS,
    BoundedConnection,
    Connections,
    connections_at_most,
)
from service.http_api.listener import BACKLOG, HANDSHAKE_SECONDS, HANDSHAKES
from service.http_api.server import serve_http
from service.rehearsal.servers.local_servers import free_port
from tests.fakes.certificates import private_authority
from tests.fakes.clocks import VirtualClock, settle
from tests.fakes.http_view import TOKEN, FakeView

AT_MOST = 8
LARGE = 30_000_000
"""Bytes of an answer that no socket's buffer takes whole."""
POST = f"POST /v1/validation HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {TOKEN}\r\n".encode()


class Served:
    """A server on a port of this machine, with a clock that the test moves."""

    def __init__(self, **settings: Any) -> None:
        self.view, self.clock, self.port = FakeView(), VirtualClock(), free_port()
        self.settings = Settings(http_port=self.port, api_token=TOKEN, **settings)

    @asynccontextmanager
    async def run(self) -> AsyncIterator[None]:
        async with serve_http(self.settings, self.view, self.clock) as address:
            await settle()
            self.address = address
            yield

    async def client(self, sent: bytes = b"") -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        writer.write(sent)
        await settle()
        return reader, writer

    async def healthy(self) -> bool:
        async with aiohttp.ClientSession() as http, http.get(f"{self.address}/healthz") as answer:
            return answer.status == 200


@pytest.fixture
async def served(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Served]:
    monkeypatch.setattr("service.http_api.server.connections_at_most", lambda: AT_MOST)
    served = Served()
    async with served.run():
        yield served


async def closed(reader: asyncio.StreamReader, within_seconds: float = 10.0) -> bool:
    """Whether the server closes the connection; what it sent before is read away."""
    try:
        async with asyncio.timeout(within_seconds):
            await reader.read()
            return True
    except TimeoutError:
        return False
    except ConnectionError:
        return True


async def test_idle_connections_give_way_to_the_next_the_longest_idle_first(served: Served) -> None:
    clients = [await served.client() for _ in range(5 * AT_MOST)]
    assert await served.healthy()
    open_still = [not gone for gone in await asyncio.gather(*(closed(reader, 2.0) for reader, _ in clients))]
    assert sum(open_still) == AT_MOST - 1
    assert all(open_still[-AT_MOST + 1 :])
    for _, writer in clients:
        writer.close()


@asynccontextmanager
async def full_of_handshakes(
    monkeypatch: pytest.MonkeyPatch, folder: Path
) -> AsyncIterator[tuple[Served, list[tuple[asyncio.StreamReader, asyncio.StreamWriter]], ssl.SSLContext]]:
    """A server with certificate files, as many TCP clients as it takes, which never begin a handshake, and who trusts it."""
    monkeypatch.setattr("service.http_api.server.connections_at_most", lambda: AT_MOST)
    made = private_authority(folder)
    served = Served(http_certificate=made.certificate, http_certificate_key=made.key)
    async with served.run():
        clients = [await served.client() for _ in range(HANDSHAKES * AT_MOST + BACKLOG)]
        yield served, clients, ssl.create_default_context(cafile=str(made.bundle))
        for _, writer in clients:
            writer.close()


async def test_clients_that_never_begin_their_tls_handshake_give_way_the_oldest_first(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    async with full_of_handshakes(monkeypatch, tmp_path) as (served, clients, trusting):
        async with aiohttp.ClientSession() as http:
            for _ in range(2):  # the second on the same connection, which is no handshake
                async with http.get(f"{served.address}/healthz", ssl=trusting) as answer:
                    assert answer.status == 200
                clients.append(await served.client())
            gone = await asyncio.gather(*(closed(reader, 2.0) for reader, _ in clients))
        assert gone == [*[True] * 3, *[False] * (len(clients) - 3)]


async def test_a_tls_handshake_that_is_not_ended_in_time_is_given_up(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    async with full_of_handshakes(monkeypatch, tmp_path) as (served, clients, _):
        await served.clock.advance(HANDSHAKE_SECONDS - 1)
        late, _ = await served.client()
        await served.clock.advance(2)
        assert all(await asyncio.gather(*(closed(reader, 2.0) for reader, _ in clients)))
        assert not await closed(late, 0.5)


async def test_a_new_connection_is_refused_while_all_others_are_at_work(served: Served) -> None:
    held = asyncio.Event()

    async def slow() -> dict[str, Any]:
        await held.wait()
        return {"phase": "forward"}

    served.view.status = slow  # type: ignore[method-assign]
    working = [await served.client(b"GET /v1/status HTTP/1.1\r\nHost: localhost\r\n\r\n") for _ in range(AT_MOST)]
    refused, _ = await served.client()
    assert await closed(refused)
    held.set()
    for reader, writer in working:
        assert (await reader.readline()).startswith(b"HTTP/1.1 200")
        writer.close()


@pytest.mark.parametrize(
    "sent",
    [b"", b"GET /healthz HTT", POST + b"Content-Length: 9\r\n\r\n{"],
    ids=["nothing", "half a head", "half a body"],
)
async def test_a_request_that_is_not_sent_in_time_is_given_up(served: Served, sent: bytes) -> None:
    reader, writer = await served.client(sent)
    for _ in range(3):  # byte by byte is no progress
        await served.clock.advance(SECONDS["body"] / 4)
        writer.write(b" " if sent else b"")
        await settle()
    assert not await closed(reader)
    await served.clock.advance(SECONDS["body"] / 4 + 2)
    assert await closed(reader)
    assert served.view.requested == []


async def test_a_part_of_a_body_is_no_request_even_if_it_could_be_one(served: Served) -> None:
    sent = POST + b"Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n"
    _, writer = await served.client(sent)
    writer.close()
    await settle()
    assert served.view.requested == []


async def test_a_client_that_does_not_read_its_answer_is_given_up(served: Served) -> None:
    async def large(accept: str) -> tuple[bytes, str]:
        return b"x" * LARGE, "text/plain"

    served.view.metrics = large  # type: ignore[method-assign]
    with socket.create_connection(("127.0.0.1", served.port)) as client:
        client.sendall(b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n")
        await served.clock.advance(SECONDS["reader"] + 3)
        client.settimeout(5)
        read = 0
        while piece := client.recv(1_000_000):  # what the kernel had, and then the end
            read += len(piece)
    assert 0 < read < LARGE


async def test_a_client_that_reads_a_little_now_and_then_is_given_up_too(served: Served) -> None:
    async def large(accept: str) -> tuple[bytes, str]:
        return b"x" * 2 * LARGE, "text/plain"

    served.view.metrics = large  # type: ignore[method-assign]
    with socket.create_connection(("127.0.0.1", served.port)) as client:
        client.sendall(b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n")
        client.setblocking(False)
        read, pause = 0, SECONDS["reader"] / 3
        for _ in range(int(READER_SECONDS / pause) + 2):
            await served.clock.advance(pause)
            read += await some(client, 1_500_000)
        assert read > READER_SECONDS / pause * 1_000_000  # what was read was progress until then
        client.settimeout(5)
        while piece := client.recv(1_000_000):
            read += len(piece)
    assert read < 2 * LARGE


async def some(client: socket.socket, most: int) -> int:
    """Read about so many bytes, or to the end; returns how many."""
    read = 0
    async with asyncio.timeout(10):
        while read < most:
            try:
                piece = client.recv(100_000)
            except BlockingIOError:
                await asyncio.sleep(0)
                continue
            if not piece:
                break
            read += len(piece)
    return read


async def test_who_sends_no_body_and_who_reads_nothing_give_way_to_a_probe(served: Served) -> None:
    sent = b"POST /v1/hold HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\n"
    clients = [await served.client(sent) for _ in range(AT_MOST)]
    assert await served.healthy()
    assert await closed(clients[0][0], 2.0)
    assert not await closed(clients[-1][0], 0.2)
    for _, writer in clients:
        writer.close()


async def test_no_two_requests_are_taken_for_the_same(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[BoundedConnection] = []
    monkeypatch.setattr(Connections, "add", lambda _, connection: made.append(connection))
    reader, writer = await served.client()
    steps: list[object] = []
    for _ in range(20):
        writer.write(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert (await reader.readuntil(b"ok\n")).startswith(b"HTTP/1.1 200")
        await settle()
        steps.append(made[0].step())
    assert all(one != other for one, other in combinations(steps, 2))
    writer.close()


async def test_a_head_that_is_too_large_is_refused(served: Served) -> None:
    reader, writer = await served.client(b"GET /healthz HTTP/1.1\r\nX: " + b"x" * 20_000)
    assert (await reader.readline()).startswith(b"HTTP/1.1 400")
    writer.close()


def test_the_connections_are_bounded_by_the_descriptors_that_the_process_may_open(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for soft, at_most in ((resource.RLIM_INFINITY, CONNECTIONS_AT_MOST), (1024, 128), (256, 64), (3, 1)):
        monkeypatch.setattr(resource, "getrlimit", lambda _, soft=soft: (soft, soft))
        assert connections_at_most() == at_most


@contextmanager
def no_descriptor_left() -> Iterator[None]:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    taken = [os.open(os.devnull, os.O_RDONLY)]
    resource.setrlimit(resource.RLIMIT_NOFILE, (taken[0] + 3, hard))
    try:
        while True:
            try:
                taken.append(os.open(os.devnull, os.O_RDONLY))
            except OSError:
                break
        yield
    finally:
        for descriptor in taken:
            os.close(descriptor)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


async def test_without_a_descriptor_connections_are_refused_without_a_word(
    served: Served, caplog: pytest.LogCaptureFixture
) -> None:
    clients = [socket.socket() for _ in range(20)]
    with no_descriptor_left():
        for client in clients:
            client.setblocking(False)
            client.connect_ex(("127.0.0.1", served.port))
            await settle()
    assert [record for record in caplog.records if record.name == "asyncio"] == []
    assert await served.healthy()
    for client in clients:
        client.setblocking(True)
        client.settimeout(5)
        with suppress(ConnectionError):
            assert client.recv(1) == b""
        client.close()
