"""The sink that all shards of a worker are applied by. It is changed only between batches, when all that was applied is saved.

The daemon and its children live on while the sink changes: to start them anew takes ten seconds and more.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from contextvars import ContextVar

from service.core.change import Change
from service.dynamodb.protocol import Fence
from service.streams.engine import ShardSink

CHANGE_SECONDS = 2.0
"""How long batches in hand may still take when the sink is changed; those that take longer are broken off and applied anew by
the next one, which changes nothing that is done."""

_fence: ContextVar[Fence] = ContextVar("fence")


def check_claim() -> None:
    """The fence of every write that a sink makes: that of the shard whose batch is being applied.

    A sink is one for all shards of a worker, and claims are lost one by one. Raises Fenced, or Retryable when the claim must be
    confirmed first.
    """
    _fence.get()()


class SinkSlot:
    """Holds one sink, or none: then batches wait."""

    def __init__(self) -> None:
        self._sink: ShardSink | None = None
        self._filled = asyncio.Event()
        self._applying: set[asyncio.Task[None]] = set()

    async def apply(self, shard_id: str, changes: Sequence[Change], fence: Fence) -> None:
        """Have ``changes`` applied under ``fence`` by the sink of the moment, once there is one; raises what it raises."""
        while True:
            await self._filled.wait()
            if self._sink is not None and await self._applied(self._sink, shard_id, changes, fence):
                return

    @asynccontextmanager
    async def filled(self, sink: ShardSink, save_applied: Callable[[], Awaitable[None]]) -> AsyncIterator[None]:
        """Apply by ``sink`` for the block. At its end nothing is being applied, and ``save_applied`` has saved what was."""
        self._sink = sink
        self._filled.set()
        try:
            yield
        finally:
            self._filled.clear()
            self._sink = None
            await self._finish()
            await save_applied()

    async def _applied(self, sink: ShardSink, shard_id: str, changes: Sequence[Change], fence: Fence) -> bool:
        """False: the sink was changed before it was done."""
        task = asyncio.create_task(_under(fence, sink, shard_id, changes))
        self._applying.add(task)
        try:
            await task
        except asyncio.CancelledError:
            mine = asyncio.current_task()
            assert mine is not None
            if mine.cancelling() or not task.cancelled():
                await _ended(task)
                raise
            return False
        finally:
            self._applying.discard(task)
        return True

    async def _finish(self) -> None:
        if self._applying:
            _, late = await asyncio.wait(self._applying, timeout=CHANGE_SECONDS)
            for task in late:
                await _ended(task)


async def _under(fence: Fence, sink: ShardSink, shard_id: str, changes: Sequence[Change]) -> None:
    _fence.set(fence)
    await sink.apply(shard_id, changes)


async def _ended(task: asyncio.Task[None]) -> None:
    task.cancel()
    with suppress(asyncio.CancelledError, Exception):  # whoever waits for it hears of it
        await task
