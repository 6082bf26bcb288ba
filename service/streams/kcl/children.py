"""The children of this worker's daemon: each connects to a Unix socket, says its shard, and has its pages applied."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from service.control.claims import Claim, Claims
from service.errors import Fenced
from service.log import get_logger
from service.streams.kcl.frames import HEADER, answer, document, frame_length, framed
from service.streams.kcl.held_shard import HeldShard, ShardParts
from service.streams.shards import Shards


@dataclass(frozen=True, slots=True)
class ReadStream:
    """A stream that this worker reads. shards: to adopt one that a child names before it was listed."""

    arn: str
    claims: Claims
    shards: Shards
    parts: ShardParts


class Talk(Protocol):
    """One child's connection."""

    async def question(self) -> dict[str, Any]:
        """The next question. Raises ConnectionError or IncompleteReadError once the child has gone."""

    async def say(self, said: bytes) -> None:
        """Answer."""


class Children:
    """Serves every child of one daemon. claimed: how many shards they have brought by now."""

    def __init__(self, streams: Mapping[str, ReadStream]) -> None:
        self.claimed = 0
        self._streams = streams
        self._held: list[HeldShard] = []
        self._closing = False

    @property
    def held(self) -> tuple[HeldShard, ...]:
        """The shards in hand."""
        return tuple(self._held)

    @asynccontextmanager
    async def served(self, socket: Path, tasks: asyncio.TaskGroup) -> AsyncIterator[None]:
        """Serve them at ``socket`` for the block, each in a task of ``tasks``. One that is still there at its end is left."""
        serving: set[asyncio.Task[None]] = set()

        def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            task = tasks.create_task(self._serve(_SocketTalk(reader, writer)))
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
        """Have nothing more applied. For the end, while no sink applies: the daemon is stopping, and must not wait for a batch."""
        self._closing = True
        for held in self._held:
            held.release()

    async def _serve(self, talk: "_SocketTalk") -> None:
        with suppress(ConnectionError, asyncio.IncompleteReadError):  # the child has gone, or its daemon
            try:
                await self.converse(talk)
            finally:
                talk.close()

    async def converse(self, talk: Talk) -> None:
        """Serve one child until it leaves, or its shard is another worker's. Raises what ``talk`` and the sink raise."""
        asked = await talk.question()
        held = await self._open(asked["stream"], asked["shard"])
        self._held.append(held)
        try:
            await talk.say(answer())
            await held.serve(lambda: self._until_left(talk, held))
        except Fenced as superseded:
            get_logger().info("shard goes to another worker", reason=superseded.message)
            if not held.asked:
                await talk.question()
            await talk.say(answer(lost=True))
        finally:
            self._held.remove(held)

    async def _open(self, arn: str, shard_id: str) -> HeldShard:
        stream = self._streams[arn]
        claim = await self._claimed(stream, shard_id)
        await _require_parent_read(stream, shard_id, claim.position.parent_id)
        self.claimed += 1
        return HeldShard(shard_id, claim, stream.parts)

    async def _claimed(self, stream: ReadStream, shard_id: str) -> Claim:
        patience = stream.parts.patience
        claim = await patience(lambda: stream.claims.claim(shard_id))
        if claim is not None:
            return claim
        await stream.shards.load()
        await stream.shards.look()
        claim = await patience(lambda: stream.claims.claim(shard_id))
        if claim is None:
            raise stream.parts.requests.gone("KCL reads it, but it is not listed", shard_id)
        return claim

    async def _until_left(self, talk: Talk, held: HeldShard) -> None:
        while True:
            asked = await talk.question()
            held.asked = True
            if asked["ask"] == "leave":
                return await talk.say(answer(await held.leave()))
            if self._closing:
                return await talk.say(answer(lost=True))
            await talk.say(await _answer(held, asked))
            held.asked = False


async def _require_parent_read(stream: ReadStream, shard_id: str, parent_id: str | None) -> None:
    """KCL says when a shard may be read, by its own rows; it drops the row of a shard that is no longer listed, read or not."""
    if parent_id is None:
        return
    known = await stream.parts.patience(stream.claims.load)
    if parent_id in known and known[parent_id].state == "reading":
        raise stream.parts.requests.gone(
            f"KCL reads it before its parent {parent_id} has been read to its end", shard_id
        )


async def _answer(held: HeldShard, asked: dict[str, Any]) -> bytes:
    if asked["ask"] == "end":
        return answer(lost=not await held.end())
    return answer(await held.deliver(asked["records"]))


class _SocketTalk:
    """Implements ``Talk`` over a Unix socket."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self._length: int | None = None

    async def question(self) -> dict[str, Any]:
        """The next question; one that was waited for in vain before is not torn. Raises ConnectionError or IncompleteReadError once
        the child has gone."""
        if self._length is None:
            self._length = frame_length(await self._reader.readexactly(HEADER.size))
        frame = await self._reader.readexactly(self._length)
        self._length = None
        return document(frame)

    async def say(self, said: bytes) -> None:
        """Answer."""
        self._writer.write(framed(said))
        await self._writer.drain()

    def close(self) -> None:
        """Let the child see that nobody serves it."""
        self._writer.close()
