"""One connection, and one exchange on it at a time: a request in one buffer, and its answer as it arrives, parsed by httptools.

Bytes that belong to no request end the connection, so that no request can get the answer to another.
"""

import asyncio
from typing import NamedTuple, cast

import httptools

from service.dynamodb.http.deadlines import Deadlines
from service.dynamodb.http.failures import Closed, Damaged, ExchangeFailed

HEAD_BYTES = 64 * 1024
"""Status line and headers of an answer; DynamoDB's are under 1 KB."""

ANSWER_BYTES = 256 * 1024 * 1024
"""A whole answer. The largest is BatchGetItem's: 16 MB of items, at six bytes of JSON for each byte of theirs."""


class Answer(NamedTuple):
    """A whole answer. ``headers`` by their names in lower case."""

    status: int
    headers: dict[bytes, bytes]
    content: bytes


class Connection(asyncio.Protocol):
    """``retires_at``: when it is to be replaced, by ``loop.time()``."""

    def __init__(self, loop: asyncio.AbstractEventLoop, deadlines: Deadlines, retires_at: float) -> None:
        self.retires_at = retires_at
        self.idle_since = 0.0
        self.lost: asyncio.Future[None] = loop.create_future()
        """Done when the connection has ended."""
        self.usable = True
        """Whether it can take a request now, as far as is known."""
        self._loop = loop
        self._deadlines = deadlines
        self._parser = httptools.HttpResponseParser(self)
        self._answered: asyncio.Future[Answer] | None = None
        self._received = 0
        self._begin_answer()

    async def exchange(self, request: bytes, deadline: float) -> Answer:
        """The answer to ``request``, which is sent as it is, by ``deadline`` (``loop.time()``).

        Raises Late, Damaged or Closed. After an error or a cancellation the connection takes no further request.
        """
        if not self.usable:
            raise Closed("before the request was sent")  # what is written now would vanish
        answered: asyncio.Future[Answer] = self._loop.create_future()
        self._answered = answered
        self._begin_answer()
        self._received = 0
        self._deadlines.add(answered, deadline)
        self._transport.write(request)
        try:
            return await answered
        except BaseException:
            self.abort()
            raise
        finally:
            self._answered = None
            self._deadlines.remove(answered)

    def close(self) -> None:
        """End it in order. ``lost`` says when that is done."""
        self.usable = False
        self._transport.close()

    def abort(self) -> None:
        """End it at once; what is not yet sent is dropped."""
        self.usable = False
        self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        if self._answered is None or self._answered.done():
            self.abort()
            return
        self._received += len(data)
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade) as error:
            self._fail(Damaged(f"not an HTTP answer: {error}"))
            return
        if not self._answered.done() and self._received > (ANSWER_BYTES if self._headed else HEAD_BYTES):
            self._fail(Damaged(f"larger than {self._received - 1} bytes"))

    def eof_received(self) -> None:
        self.usable = False  # returning None makes the transport close itself; until then nobody may take it

    def connection_lost(self, error: Exception | None) -> None:
        self.usable = False
        if self._headed and self._until_end and error is None:
            self._complete()
        elif self._received:
            self._fail(Damaged(f"it ended after {self._received} bytes"))
        else:
            self._fail(Closed(str(error or "no answer")))
        if not self.lost.done():
            self.lost.set_result(None)

    def on_message_begin(self) -> None:
        """An answer begins. One that nobody asked for ends the connection."""
        if self._answered is None or self._answered.done():
            self.abort()

    def on_header(self, name: bytes, value: bytes) -> None:
        """A header of the answer, or of what follows its last chunk."""
        if not self._headed:
            self._headers[name.lower()] = value

    def on_headers_complete(self) -> None:
        """All headers are there."""
        self._headed = True

    def on_body(self, chunk: bytes) -> None:
        """Content, as far as it has come."""
        self._chunks.append(chunk)

    def on_message_complete(self) -> None:
        """The answer is whole, or was a provisional one (100 to 199), which the answer follows."""
        if self._parser.get_status_code() < 200:
            self._begin_answer()
            return
        # A server may answer before it has read the whole request: what is left of that would stand before the next one.
        sent = self._transport.get_write_buffer_size() == 0
        self.usable = self.usable and sent and self._parser.should_keep_alive()
        self._complete()

    def _begin_answer(self) -> None:
        self._headers: dict[bytes, bytes] = {}
        self._chunks: list[bytes] = []
        self._headed = False

    @property
    def _until_end(self) -> bool:
        """Whether the content goes on until the connection ends: https://www.rfc-editor.org/rfc/rfc9112#section-6.3."""
        return b"content-length" not in self._headers and b"transfer-encoding" not in self._headers

    def _complete(self) -> None:
        if self._answered is not None and not self._answered.done():
            content = b"".join(self._chunks)
            self._answered.set_result(Answer(self._parser.get_status_code(), self._headers, content))

    def _fail(self, failure: ExchangeFailed) -> None:
        self.usable = False
        if self._answered is not None and not self._answered.done():
            self._answered.set_exception(failure)
