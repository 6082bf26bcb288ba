"""One HTTP connection, by the bytes that arrive on it: an answer is whole and its own, or the request fails at once."""

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from service.dynamodb.http import connection as subject
from service.dynamodb.http.connection import Answer, Connection
from service.dynamodb.http.deadlines import Deadlines
from service.dynamodb.http.failures import Closed, Damaged, ExchangeFailed, Late

LOOP = asyncio.new_event_loop()
"""For all examples: to make one takes longer than an exchange."""

REQUEST = b"POST / HTTP/1.1\r\n\r\n"
CONTENTS = st.binary(max_size=60)
NAMES = st.from_regex(r"[A-Za-z][A-Za-z0-9-]{0,12}", fullmatch=True).map(lambda name: f"x-{name}")
VALUES = st.from_regex(r"[!-~]([ -~]{0,20}[!-~])?", fullmatch=True)


@pytest.fixture(scope="module", autouse=True)
def loop_closed() -> Iterator[None]:
    yield
    LOOP.close()


@dataclass
class Wire(asyncio.Transport):
    """What the connection does to its transport; ``unsent`` are bytes that the socket has not taken."""

    sent: list[bytes] = field(default_factory=list)
    unsent: int = 0
    ended: bool = False

    def write(self, data: Any) -> None:
        self.sent.append(bytes(data))

    def get_write_buffer_size(self) -> int:
        return self.unsent

    def close(self) -> None:
        self.ended = True

    abort = close


@dataclass
class Exchanged:
    """What came of one request. ``usable``: whether the connection takes another."""

    answer: Answer | None
    failure: ExchangeFailed | None
    usable: bool


def exchanged(chunks: list[bytes], *, end: bool = True, unsent: int = 0) -> Exchanged:
    """Send a request, let ``chunks`` arrive one after the other, and then the end of the connection, if it is to come.

    Fails when the request still waits after that.
    """

    async def run() -> Exchanged:
        loop = asyncio.get_running_loop()
        deadlines = Deadlines(loop, lambda: Late(1))
        connection, wire = Connection(loop, deadlines, 0.0), Wire(unsent=unsent)
        connection.connection_made(wire)
        asked = asyncio.create_task(connection.exchange(REQUEST, loop.time() + 3600))
        await asyncio.sleep(0)
        assert wire.sent == [REQUEST]
        for chunk in chunks:
            if not wire.ended:
                connection.data_received(chunk)
        await _passed()
        usable = asked.done() and connection.usable
        if end:
            connection.eof_received()
            connection.connection_lost(None)
        await _passed()
        deadlines.close()
        assert asked.done(), "the request waits for ever"
        try:
            return Exchanged(await asked, None, usable)
        except ExchangeFailed as failure:
            assert wire.ended
            return Exchanged(None, failure, usable=False)

    return LOOP.run_until_complete(run())


async def _passed() -> None:
    for _ in range(3):
        await asyncio.sleep(0)


def head(status: int, headers: dict[str, str]) -> bytes:
    lines = [f"HTTP/1.1 {status} Said", *(f"{name}: {value}" for name, value in headers.items())]
    return "".join(f"{line}\r\n" for line in [*lines, ""]).encode()


def sized(status: int, headers: dict[str, str], content: bytes, _: list[int]) -> bytes:
    return head(status, headers | {"Content-Length": str(len(content))}) + content


def chunked(status: int, headers: dict[str, str], content: bytes, cuts: list[int]) -> bytes:
    parts = [part for part in cut(content, cuts) if part]
    lines = b"".join(b"%x;name=value\r\n%b\r\n" % (len(part), part) for part in parts)
    return head(status, headers | {"Transfer-Encoding": "chunked"}) + lines + b"0\r\nx-trailer: 1\r\n\r\n"


def until_end(status: int, headers: dict[str, str], content: bytes, _: list[int]) -> bytes:
    return head(status, headers | {"Connection": "close"}) + content


def cut(whole: bytes, cuts: list[int]) -> list[bytes]:
    """``whole`` in parts, cut at each of ``cuts`` modulo its length."""
    places = [0, *sorted(place % (len(whole) + 1) for place in cuts), len(whole)]
    return [whole[start:stop] for start, stop in pairwise(places)]


Form = Callable[[int, dict[str, str], bytes, list[int]], bytes]
FORMS: st.SearchStrategy[Form] = st.sampled_from([sized, chunked, until_end])
CUTS = st.lists(st.integers(0, 10_000), max_size=8)


@settings(max_examples=200, deadline=None)
@given(
    form=FORMS,
    status=st.sampled_from([200, 400, 413, 500, 503]),
    headers=st.dictionaries(NAMES, VALUES, max_size=4),
    content=CONTENTS,
    provisional=st.booleans(),
    chunk_cuts=CUTS,
    cuts=CUTS,
)
def test_an_answer_is_the_same_in_whatever_pieces_it_arrives(
    form: Form,
    status: int,
    headers: dict[str, str],
    content: bytes,
    provisional: bool,
    chunk_cuts: list[int],
    cuts: list[int],
) -> None:
    whole = (head(100, {}) if provisional else b"") + form(status, headers, content, chunk_cuts)
    pieces = [piece for piece in cut(whole, cuts) if piece]
    found = exchanged(pieces)
    assert found.failure is None
    assert found.answer is not None
    assert (found.answer.status, found.answer.content) == (status, content)
    lower = {name.lower().encode(): value.encode() for name, value in headers.items()}
    assert lower.items() <= {name: value.rstrip() for name, value in found.answer.headers.items()}.items()
    assert b"x-trailer" not in found.answer.headers
    assert found.usable is (form is not until_end)


@settings(max_examples=200, deadline=None)
@given(
    form=st.sampled_from([sized, chunked]),
    content=st.binary(min_size=1, max_size=60),
    cuts=CUTS,
    kept=st.integers(0, 10_000),
)
def test_an_answer_that_is_cut_off_never_counts_as_whole(
    form: Form, content: bytes, cuts: list[int], kept: int
) -> None:
    whole = form(200, {}, content, cuts)
    pieces = [piece for piece in cut(whole[: kept % len(whole)], cuts) if piece]
    found = exchanged(pieces)
    assert isinstance(found.failure, Damaged if pieces else Closed)


@settings(max_examples=300, deadline=None)
@given(
    start=st.sampled_from([b"", b"HTTP/1.1 ", b"HTTP/1.1 200 OK\r\n", head(200, {"Content-Length": "5"})]),
    junk=st.binary(),
    cuts=CUTS,
)
@example(start=b"", junk=b"SSH-2.0-OpenSSH_9.2\r\n", cuts=[])
@example(start=b"", junk=b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{}x", cuts=[])
@example(start=b"", junk=b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n{}", cuts=[])
@example(start=b"", junk=b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n{}", cuts=[])
@example(start=b"", junk=b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n{}\r\n0\r\n\r\n", cuts=[])
@example(start=b"", junk=head(101, {"Connection": "upgrade", "Upgrade": "h2c"}) + b"PRI * HTTP/2.0", cuts=[])
def test_no_bytes_leave_a_request_waiting(start: bytes, junk: bytes, cuts: list[int]) -> None:
    found = exchanged([piece for piece in cut(start + junk, cuts) if piece])
    if found.answer is None:
        assert isinstance(found.failure, Damaged | Closed)
    elif found.usable:
        assert start.startswith(b"HTTP/1.1 200 OK\r\nContent") or b"\r\n\r\n" in start + junk


@settings(max_examples=200, deadline=None)
@given(content=CONTENTS, more=st.binary(min_size=1), cuts=CUTS)
@example(content=b"{}", more=sized(200, {}, b"of another request", []), cuts=[])
@example(content=b"{}", more=sized(200, {}, b"of another request", []), cuts=[41])
def test_what_follows_an_answer_is_no_part_of_it_and_ends_the_connection(
    content: bytes, more: bytes, cuts: list[int]
) -> None:
    found = exchanged([piece for piece in cut(sized(200, {}, content, []) + more, cuts) if piece], end=False)
    assert found.answer is not None
    assert found.answer.content == content
    assert not found.usable or not more.strip(b"\r\n"), "empty lines before an answer mean nothing (RFC 9112, 2.2)"


@pytest.mark.parametrize(
    ("status", "headers", "usable"),
    [
        (200, {}, True),
        (200, {"Connection": "close"}, False),
        (204, {}, True),
        (200, {"Connection": "Upgrade", "Upgrade": "h2c"}, True),
    ],
)
def test_a_server_s_wish_to_close_is_followed(status: int, headers: dict[str, str], usable: bool) -> None:
    assert exchanged([sized(status, headers, b"", [])], end=False).usable is usable


def test_a_connection_on_which_a_request_is_still_being_sent_takes_no_other() -> None:
    found = exchanged([sized(413, {}, b"{}", [])], end=False, unsent=1)
    assert found.answer is not None
    assert not found.usable


@pytest.mark.parametrize(
    "endless",
    [b"HTTP/1.1 200 OK\r\nx: " + b"y" * 70_000, head(103, {}) * 4_000, b"HTTP/1.1 200 " + b"y" * 70_000],
    ids=["header", "provisional answers", "reason"],
)
def test_a_head_without_end_is_refused(endless: bytes) -> None:
    found = exchanged([endless[start : start + 1000] for start in range(0, len(endless), 1000)], end=False)
    assert isinstance(found.failure, Damaged)


def test_an_answer_without_end_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(subject, "ANSWER_BYTES", 5_000)
    found = exchanged([head(200, {"Content-Length": "100000"}), *[b"x" * 1000] * 10], end=False)
    assert isinstance(found.failure, Damaged)


def test_a_connection_that_ended_before_its_first_request_sends_none() -> None:
    async def run() -> None:
        loop, wire = asyncio.get_running_loop(), Wire()
        connection = Connection(loop, Deadlines(loop, lambda: Late(1)), 0.0)
        connection.connection_made(wire)
        connection.connection_lost(None)
        with pytest.raises(Closed):
            await connection.exchange(REQUEST, loop.time() + 3600)
        assert wire.sent == []

    LOOP.run_until_complete(run())


def test_every_deadline_passes_in_whatever_order_they_were_added() -> None:
    async def run() -> None:
        loop = asyncio.get_running_loop()
        deadlines, now = Deadlines(loop, lambda: Late(1)), loop.time()
        far, *near = [loop.create_future() for _ in range(4)]
        for future, after in zip([far, *near], [3600, 0.02, 0.001, 0.01], strict=True):
            deadlines.add(future, now + after)
        await asyncio.wait(near, timeout=60)
        assert [type(future.exception()) for future in near] == [Late] * 3
        assert not far.done()
        deadlines.close()

    LOOP.run_until_complete(run())
