"""The children of this worker's daemon: each connects to a Unix socket, names its shard, and has its pages applied."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from service.control.claims import ClaimedShard, SharedCheckpoints
from service.errors import Fenced
from service.log import get_logger
from service.streams.kcl.frames import HEADER, answer, document, frame_length, framed
from service.streams.kcl.held_shard import HeldShard, HeldShardContext
from service.streams.shards import Shards


@dataclass(frozen=True, slots=True)
class ReadStream:
    """A stream that this worker reads."""

    arn: str
    claims: SharedCheckpoints
    shards: Shards
    """Adopts a shard that a child names before it was listed."""
    context: HeldShardContext


class ChildConnection(Protocol):
    """One child's connection."""

    async def question(self) -> dict[str, Any]:
        """The next question. Raises ConnectionError or IncompleteReadError once the child has gone."""

    async def send(self, answer: bytes) -> None:
        """Answer the question."""


class Children:
    """Serves every child of one daemon. ``claimed``: how many shards were claimed for them so far."""

    def __init__(self, streams: Mapping[str, ReadStream]) -> None:
        self.claimed = 0
        self._streams = streams
        self._held: list[HeldShard] = []
        self._closing = False

    @property
    def held(self) -> tuple[HeldShard, ...]:
        """The shards that the children hold now."""
        return tuple(self._held)

    @asynccontextmanager
    async def served(self, socket: Path, tasks: asyncio.TaskGroup) -> AsyncIterator[None]:
        """Serve the children at ``socket`` for the block, each in a task of ``tasks``. A child that is still connected at the
        end is left."""
        serving: set[asyncio.Task[None]] = set()

        def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            task = tasks.create_task(self._serve(_SocketConnection(reader, writer)))
            serving.add(task)
            task.add_done_callback(serving.discard)

        server = await asyncio.start_unix_server(connected, socket)
        try:
            yield
        finally:
            server.close()
            for task in serving:
                task.cancel()

    async def save_applied(self) -> None:
        """Save what is applied, of every shard, while nothing is being applied."""
        for held in self.held:
            with suppress(Fenced):  # another worker has it
                await held.reader.save_applied()

    def close(self) -> None:
        """Apply nothing more. For the end, while no sink applies: the daemon is stopping, and must not wait for a batch."""
        self._closing = True
        for held in self._held:
            held.release()

    async def _serve(self, connection: "_SocketConnection") -> None:
        with suppress(ConnectionError, asyncio.IncompleteReadError):  # the child has gone, or its daemon
            try:
                await self.serve_child(connection)
            finally:
                connection.close()

    async def serve_child(self, connection: ChildConnection) -> None:
        """Serve one child until it leaves, or another worker has its shard. Raises what ``connection`` and the sink raise."""
        opening = await connection.question()
        held = await self._open(opening["stream"], opening["shard"])
        self._held.append(held)
        try:
            await connection.send(answer())
            await held.serve(lambda: self._answer_questions(connection, held))
        except Fenced as superseded:
            get_logger().info("shard goes to another worker", reason=superseded.message)
            if not held.child_waits:
                await connection.question()
            await connection.send(answer(lost=True))
        finally:
            self._held.remove(held)

    async def _open(self, arn: str, shard_id: str) -> HeldShard:
        stream = self._streams[arn]
        claim = await self._claim(stream, shard_id)
        await _require_parent_read(stream, shard_id, claim.position.parent_id)
        self.claimed += 1
        return HeldShard(shard_id, claim, stream.context)

    async def _claim(self, stream: ReadStream, shard_id: str) -> ClaimedShard:
        retry = stream.context.requests.retry
        claim = await retry(lambda: stream.claims.claim(shard_id))
        if claim is not None:
            return claim
        await stream.shards.load()
        await stream.shards.refresh()
        claim = await retry(lambda: stream.claims.claim(shard_id))
        if claim is None:
            raise stream.context.requests.gone("KCL reads it, but it is not listed", shard_id)
        return claim

    async def _answer_questions(self, connection: ChildConnection, held: HeldShard) -> None:
        while True:
            question = await connection.question()
            held.child_waits = True
            if question["ask"] == "leave":
                return await connection.send(answer(await held.leave()))
            if self._closing:
                return await connection.send(answer(lost=True))
            await connection.send(await _answer(held, question))
            held.child_waits = False


async def _require_parent_read(stream: ReadStream, shard_id: str, parent_id: str | None) -> None:
    """Raises StreamGone when the parent of the shard is unread.

    KCL decides by its own rows when a shard may be read, and it drops the row of a shard that is no longer listed, read or not.
    """
    if parent_id is None:
        return
    known = await stream.context.requests.retry(stream.claims.load)
    if parent_id in known and known[parent_id].state == "reading":
        raise stream.context.requests.gone(
            f"KCL reads it before its parent {parent_id} has been read to its end", shard_id
        )


async def _answer(held: HeldShard, question: dict[str, Any]) -> bytes:
    if question["ask"] == "end":
        return answer(lost=not await held.end())
    return answer(await held.deliver(question["records"]))


class _SocketConnection:
    """Implements ``ChildConnection`` over a Unix socket."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self._length: int | None = None

    async def question(self) -> dict[str, Any]:
        """The next question. A call that was cancelled while it waited leaves the frame whole for the next call.

        Raises ConnectionError or IncompleteReadError once the child has gone.
        """
        if self._length is None:
            self._length = frame_length(await self._reader.readexactly(HEADER.size))
        frame = await self._reader.readexactly(self._length)
        self._length = None
        return document(frame)

    async def send(self, answer: bytes) -> None:
        """Answer the question."""
        self._writer.write(framed(answer))
        await self._writer.drain()

    def close(self) -> None:
        """Close the connection, so that the child sees that nobody serves it."""
        self._writer.close()
