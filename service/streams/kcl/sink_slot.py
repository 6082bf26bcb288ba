"""The slot for the sink that applies all shards of a worker. The sink changes only when nothing is being applied and everything
applied is saved.

The daemon and its children keep running while the sink changes: restarting them takes ten seconds or more. The slot's states:

    EMPTY: batches wait
      |   filled() begins: the sink is put in
      v
    FILLED: each batch is applied in a task of its own
      |   filled() ends: the sink is taken out, and no new batch begins
      v
    FINISHING: the batches that are being applied have CHANGE_SECONDS, then their tasks are cancelled
      |   every task has ended, and save_applied() has saved what is applied
      v
    EMPTY

A batch can be cancelled from two sides. When the slot cancels its task, ``_apply_by`` returns False, and ``apply`` waits for the
next sink to apply the whole batch again; that changes nothing that is done. When the caller of ``apply`` is cancelled, it cancels
the task too, and waits for its end before it raises CancelledError.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from contextvars import ContextVar

from service.clock import Clock
from service.core.item.change import Change
from service.dynamodb.protocol import Fence
from service.streams.engine import ShardSink
from service.telemetry.tracing import span

CHANGE_SECONDS = 2.0
"""How long batches may still take when the sink changes. Those that take longer are cancelled and applied again by the next
sink, which changes nothing that is done."""

_fence: ContextVar[Fence] = ContextVar("fence")
"""The fence of the batch that is being applied. Every batch runs in a task of its own, so each has its own value."""


def check_claim() -> None:
    """The fence of every write that a sink makes: that of the shard whose batch is being applied.

    One sink serves all shards of a worker, and claims are lost one by one. Raises Fenced, or Retryable when the claim must be
    confirmed first.
    """
    _fence.get()()


class SinkSlot:
    """Holds one sink, or none; batches wait while there is none."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._sink: ShardSink | None = None
        self._filled = asyncio.Event()
        self._applying: set[asyncio.Task[None]] = set()

    async def apply(self, shard_id: str, changes: Sequence[Change], fence: Fence) -> None:
        """Have ``changes`` applied under ``fence`` by the current sink, once there is one. Raises what the sink raises."""
        while True:
            await self._filled.wait()
            if self._sink is not None and await self._apply_by(self._sink, shard_id, changes, fence):
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

    async def _apply_by(self, sink: ShardSink, shard_id: str, changes: Sequence[Change], fence: Fence) -> bool:
        """Apply ``changes`` by ``sink`` in a task of their own. False: the slot cancelled the task, because the sink changes."""
        task = asyncio.create_task(_apply_under(fence, sink, shard_id, changes))
        self._applying.add(task)
        try:
            await task
        except asyncio.CancelledError:
            caller = asyncio.current_task()
            assert caller is not None
            if caller.cancelling() or not task.cancelled():
                await _cancel_and_wait({task})
                raise
            return False
        finally:
            self._applying.discard(task)
        return True

    async def _finish(self) -> None:
        """Wait until no batch is being applied; after CHANGE_SECONDS cancel those that still are."""
        running = set(self._applying)
        time_is_up = asyncio.create_task(self._clock.sleep(CHANGE_SECONDS))
        while running and not time_is_up.done():
            await asyncio.wait({*running, time_is_up}, return_when=asyncio.FIRST_COMPLETED)
            running = {task for task in running if not task.done()}
        time_is_up.cancel()
        await _cancel_and_wait(running)


async def _apply_under(fence: Fence, sink: ShardSink, shard_id: str, changes: Sequence[Change]) -> None:
    _fence.set(fence)
    with span("sync window", shard=shard_id, changes=len(changes)):
        await sink.apply(shard_id, changes)


async def _cancel_and_wait(tasks: set[asyncio.Task[None]]) -> None:
    """Cancel the tasks, and return once they have ended. How each ended is raised where it is awaited."""
    for task in tasks:
        task.cancel()
    if tasks:
        await asyncio.wait(tasks)
