"""The data plane's connections, on real servers: which one takes a request, which never does again, and how each ends."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from service.core.item.write import Absent, Put
from service.dynamodb.http import pool
from service.errors import Misconfigured, Retryable
from tests.builders.planes import RetryLog, open_plane
from tests.fakes.certificates import Authority, private_authority
from tests.fakes.connect_proxy import connect_proxy
from tests.fakes.scripted_endpoint import Reply, answer, fault_server, hang, hang_up

KEY = {"PK": {"S": "a"}, "SK": {"S": "b"}}
PUT = Put("Leads", KEY, Absent(("PK",)))
FOUND = {"Item": KEY}


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return private_authority(tmp_path)


async def until(true: Callable[[], bool]) -> None:
    """Return as soon as ``true`` says so, for which the event loop has to run."""
    async with asyncio.timeout(60):
        while not true():  # noqa: ASYNC110 (the server's and the client's ends come by the event loop)
            await asyncio.sleep(0.001)


def as_written(written: bytes, then: Reply | None = None) -> Reply:
    """These bytes, then the reply."""

    async def reply(writer: asyncio.StreamWriter) -> None:
        writer.write(written)
        await writer.drain()
        if then is not None:
            await then(writer)

    return reply


@asynccontextmanager
async def listener(
    serve: Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]],
) -> AsyncIterator[int]:
    """A port of a server that does ``serve`` with each connection; those are cut at the end."""
    tasks: set[asyncio.Task[None]] = set()

    def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        async def run() -> None:
            try:
                await serve(reader, writer)
            finally:
                writer.close()

        tasks.add(asyncio.create_task(run()))

    server = await asyncio.start_server(accept, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def test_one_connection_takes_requests_one_after_the_other() -> None:
    async with fault_server() as server, open_plane(server.url) as plane:
        for _ in range(5):
            await plane.get("Leads", KEY)
        assert (server.accepted, len(server.received)) == (1, 5)


async def test_no_more_connections_than_the_limit() -> None:
    async with fault_server() as server, open_plane(server.url, connections=3) as plane:
        await asyncio.gather(*[plane.get("Leads", KEY) for _ in range(50)])
        assert (server.accepted, len(server.received)) == (3, 50)


async def test_waiting_for_a_connection_counts_as_waiting_for_the_answer() -> None:
    async with (
        fault_server(hang) as server,
        open_plane(server.url, connections=1, request_timeout_seconds=0.5, max_attempts=1) as plane,
    ):
        failures = await asyncio.gather(*[plane.get("Leads", KEY) for _ in range(3)], return_exceptions=True)
        assert [str(failure) for failure in failures][:1] == [
            f"GetItem on Leads: no answer from {server.url} within 0.5 s"
        ]
        assert await plane.get("Leads", KEY) is None, "the turn of a late request is free again"


async def test_the_answer_to_a_cancelled_request_reaches_no_other() -> None:
    asked, answered = asyncio.Event(), asyncio.Event()

    async def late(writer: asyncio.StreamWriter) -> None:
        asked.set()
        await answered.wait()
        await answer(FOUND)(writer)

    async with fault_server(answer({}), late) as server, open_plane(server.url, connections=1) as plane:
        await plane.get("Leads", KEY)
        cancelled = asyncio.create_task(plane.get("Leads", KEY))
        await asked.wait()
        cancelled.cancel()
        await asyncio.wait([cancelled])
        assert cancelled.cancelled()
        answered.set()
        assert await plane.get("Leads", KEY) is None
        assert server.accepted == 2


async def test_a_request_that_is_cancelled_while_it_waits_for_its_turn_leaves_it_to_the_next() -> None:
    async with fault_server(hang) as server, open_plane(server.url, connections=1) as plane:
        first, second, third = [asyncio.create_task(plane.get("Leads", KEY)) for _ in range(3)]
        await until(lambda: len(server.received) == 1)
        second.cancel()
        first.cancel()
        assert await third is None
        assert first.cancelled() == second.cancelled() is True


@pytest.mark.parametrize("tls", [False, True])
async def test_a_connection_that_the_server_has_closed_is_not_used_again(authority: Authority, tls: bool) -> None:
    log = RetryLog()
    async with (
        fault_server(tls=authority.server if tls else None) as server,
        open_plane(server.url, retries=log, ca_bundle=authority.bundle) as plane,
    ):
        await plane.get("Leads", KEY)
        (connection,) = server.open
        connection.close()
        await connection.wait_closed()
        await until(lambda: not server.open)
        for _ in range(100):  # until the end has arrived here, too
            await asyncio.sleep(0.001)
        await plane.get("Leads", KEY)
        assert (server.accepted, log.retried) == (2, [])


async def test_a_reset_of_a_connection_that_was_idle_is_retried_above() -> None:
    log = RetryLog()

    async def reset(writer: asyncio.StreamWriter) -> None:
        writer.transport.abort()

    async with fault_server(answer({}), reset, hang_up) as server, open_plane(server.url, retries=log) as plane:
        assert await plane.write(PUT)
        assert await plane.write(PUT)
        assert log.retried == ["connection_closed"] * 2
        assert server.operations() == ["PutItem"] * 4, "nothing is sent again by itself"


async def test_what_a_server_says_unasked_is_no_answer() -> None:
    said: list[asyncio.StreamWriter] = []

    async def twice(writer: asyncio.StreamWriter) -> None:
        said.append(writer)
        await answer({})(writer)

    async with fault_server(twice) as server, open_plane(server.url) as plane:
        await plane.get("Leads", KEY)
        await answer(FOUND)(said[0])
        await until(lambda: not server.open)
        assert await plane.get("Leads", KEY) is None
        assert server.accepted == 2


async def test_a_connection_is_replaced_when_it_is_old(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pool, "AGE_SECONDS", (0.0, 0.0))
    async with fault_server() as server, open_plane(server.url) as plane:
        for _ in range(3):
            await plane.get("Leads", KEY)
        assert server.accepted == 3
        await until(lambda: not server.open)


async def test_a_connection_that_is_idle_for_long_is_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pool, "IDLE_SECONDS", 0.01)
    async with fault_server() as server, open_plane(server.url) as plane:
        await asyncio.gather(*[plane.get("Leads", KEY) for _ in range(4)])
        await until(lambda: not server.open)
        assert await plane.get("Leads", KEY) is None


@pytest.mark.parametrize("tls", [False, True])
async def test_at_the_end_every_connection_is_closed(authority: Authority, tls: bool) -> None:
    async with fault_server(hang, tls=authority.server if tls else None) as server:
        async with open_plane(server.url, ca_bundle=authority.bundle, max_attempts=1) as plane:
            waiting = asyncio.create_task(plane.get("Leads", KEY))
            await until(lambda: len(server.received) == 1)
            await asyncio.gather(*[plane.get("Leads", KEY) for _ in range(5)])
        await until(lambda: len(server.open) <= 1)  # its handler hangs, and does not see the end
        with pytest.raises(Retryable):
            await waiting


FORMS = {
    "chunked": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\n{}\n\r\n0\r\n\r\n",
    "provisional": b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}",
    "until the end": b"HTTP/1.0 200 OK\r\n\r\n{}",
    "closed after it": b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\n{}",
}


@pytest.mark.parametrize("form", FORMS)
async def test_every_form_of_an_answer_is_read(form: str) -> None:
    log = RetryLog()
    ends = form in ("until the end", "closed after it")
    reply = as_written(FORMS[form], hang_up if ends else None)
    async with fault_server(reply) as server, open_plane(server.url, retries=log) as plane:
        assert await plane.get("Leads", KEY) is None
        assert await plane.get("Leads", KEY) is None
        assert (server.accepted, log.retried) == (2 if ends else 1, [])


async def test_a_server_that_closes_each_connection_at_once_is_named_at_once() -> None:
    async def nothing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.transport.abort()

    async with listener(nothing) as port, open_plane(f"http://127.0.0.1:{port}", max_attempts=1) as plane:
        for _ in range(20):
            with pytest.raises(Retryable) as failure:
                await plane.get("Leads", KEY)
            assert failure.value.reason == "connection_closed"


async def test_a_server_that_agrees_on_no_tls_is_late() -> None:
    async def silent(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
        await asyncio.Event().wait()

    async with listener(silent) as port:
        url = f"https://127.0.0.1:{port}"
        async with open_plane(url, connect_timeout_seconds=0.2, max_attempts=1) as plane:
            with pytest.raises(Retryable, match=rf"^GetItem on Leads: no connection to {url} within 0.2 s$") as late:
                await plane.get("Leads", KEY)
            assert late.value.reason == "timeout"


async def test_a_certificate_for_another_name_is_not_trusted(authority: Authority) -> None:
    async with (
        fault_server(tls=authority.server, host="127.0.0.2") as server,
        open_plane(server.url, ca_bundle=authority.bundle, max_attempts=1) as plane,
    ):
        with pytest.raises(Misconfigured, match=r"the certificate of https://127\.0\.0\.2:\d+ is not trusted: "):
            await plane.get("Leads", KEY)
        assert server.received == []


async def test_a_large_answer_and_a_large_request_pass_tls(authority: Authority) -> None:
    large = {"PK": {"S": "a"}, "SK": {"S": "b"}, "text": {"S": "x" * 3_000_000}}
    async with (
        fault_server(answer({"Item": large}), tls=authority.server) as server,
        open_plane(server.url, ca_bundle=authority.bundle) as plane,
    ):
        assert await plane.get("Leads", KEY) == large


async def test_plain_http_goes_through_the_proxy_by_its_whole_url(monkeypatch: pytest.MonkeyPatch) -> None:
    heads: list[bytes] = []

    async def proxy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heads.append(await reader.readuntil(b"\r\n\r\n"))
        await answer({})(writer)

    async with listener(proxy) as port:
        monkeypatch.setenv("HTTP_PROXY", f"http://us%40er:secret@127.0.0.1:{port}")
        async with open_plane("http://dynamodb.example:8000", max_attempts=1) as plane:
            assert await plane.get("Leads", KEY) is None
    assert heads[0].startswith(b"POST http://dynamodb.example:8000/ HTTP/1.1\r\n")
    assert b"\r\nProxy-Authorization: Basic dXNAZXI6c2VjcmV0\r\n" in heads[0]
    assert b"\r\nhost: dynamodb.example:8000\r\n" in heads[0]


async def test_a_proxy_that_speaks_tls_itself_leads_through(
    monkeypatch: pytest.MonkeyPatch, authority: Authority
) -> None:
    async with (
        fault_server(answer({"Item": KEY}), tls=authority.server) as server,
        connect_proxy(server.url.replace("https", "http"), tls=authority.server) as proxy,
    ):
        monkeypatch.setenv("HTTPS_PROXY", proxy.url)
        async with open_plane("https://a.amazonaws.com", ca_bundle=authority.bundle, max_attempts=1) as plane:
            assert await plane.get("Leads", KEY) == KEY
        assert proxy.connected == ["a.amazonaws.com:443"]


BAD_PROXIES: dict[str, tuple[bytes, str]] = {
    "hangs up": (b"", "the proxy does not lead to https://a.amazonaws.com"),
    "is no proxy": (b"SSH-2.0-OpenSSH\r\n\r\n", "the proxy does not lead to https://a.amazonaws.com"),
    "hangs up in TLS": (b"HTTP/1.1 200 OK\r\n\r\n", "cannot connect to https://a.amazonaws.com: "),
}


@pytest.mark.parametrize("kind", BAD_PROXIES)
async def test_a_proxy_that_leads_nowhere_is_named(monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    written, message = BAD_PROXIES[kind]

    async def proxy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(written)

    async with listener(proxy) as port:
        monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{port}")
        async with open_plane("https://a.amazonaws.com", max_attempts=1) as plane:
            with pytest.raises(Retryable) as failure:
                await plane.get("Leads", KEY)
    assert message in str(failure.value)
    assert failure.value.reason == "no_connection"


async def test_a_proxy_that_says_nothing_is_late(monkeypatch: pytest.MonkeyPatch) -> None:
    async def silent(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
        await asyncio.Event().wait()

    async with listener(silent) as port:
        monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{port}")
        async with open_plane("https://a.amazonaws.com", connect_timeout_seconds=0.2, max_attempts=1) as plane:
            with pytest.raises(Retryable, match=r"no connection to https://a\.amazonaws\.com within 0\.2 s"):
                await plane.get("Leads", KEY)
