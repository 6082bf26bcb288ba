"""The sink that all shards of a worker are applied by. It is changed only between batches, when all that was applied is saved.

The daemon and its children live on while the sink changes: to start them anew takes ten seconds and more.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from contextvars import ContextVar

from service.clock import Clock
from service.core.item.change import Change
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

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
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
                await _broken_off({task})
                raise
            return False
        finally:
            self._applying.discard(task)
        return True

    async def _finish(self) -> None:
        late = set(self._applying)
        time_is_up = asyncio.create_task(self._clock.sleep(CHANGE_SECONDS))
        while late and not time_is_up.done():
            await asyncio.wait({*late, time_is_up}, return_when=asyncio.FIRST_COMPLETED)
            late = {task for task in late if not task.done()}
        time_is_up.cancel()
        await _broken_off(late)


async def _under(fence: Fence, sink: ShardSink, shard_id: str, changes: Sequence[Change]) -> None:
    _fence.set(fence)
    await sink.apply(shard_id, changes)


async def _broken_off(tasks: set[asyncio.Task[None]]) -> None:
    """Cancel them, and return once they have ended; whoever waits for one of them hears how."""
    for task in tasks:
        task.cancel()
    if tasks:
        await asyncio.wait(tasks)
