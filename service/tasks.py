"""Task groups whose failure is one error: callers catch Fatal and Retryable, not groups of them."""

import asyncio
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from typing import Any, TypeVar

from service.errors import Stopped

T = TypeVar("T")


class Tasks(asyncio.TaskGroup):
    """A TaskGroup that can be waited for inside its block."""

    def __init__(self) -> None:
        super().__init__()
        self._running: set[asyncio.Task[Any]] = set()

    def create_task(  # type: ignore[override]  # coroutines and what else there is by name: all that is needed here
        self, coro: Coroutine[Any, Any, T], **options: Any
    ) -> asyncio.Task[T]:
        """As ``TaskGroup.create_task``."""
        task: asyncio.Task[T] = super().create_task(coro, **options)
        self._running.add(task)
        task.add_done_callback(self._running.discard)
        return task

    async def ended(self) -> None:
        """Return once all tasks have."""
        while self._running:
            await asyncio.wait(self._running)


@asynccontextmanager
async def task_group() -> AsyncIterator[Tasks]:
    """A TaskGroup that raises the gravest error itself: a Fatal before anything that would be tried again.

    When the caller has been cancelled, that goes first: whoever tries again after an error would never end otherwise. Every
    group of ours is one of these: a plain one that fails can leave its caller looking cancelled (see below).
    """
    caller = asyncio.current_task()
    assert caller is not None
    before = caller.cancelling()
    try:
        async with Tasks() as tasks:
            yield tasks
            # Here, not at the block's end: a TaskGroup that fails takes its own interruption of the caller back only if that
            # came within the block (up to Python 3.12), so that later it could not be told from a cancellation.
            await tasks.ended()
    except BaseExceptionGroup as failures:
        if caller.cancelling() > before:
            raise asyncio.CancelledError from gravest(failures)
        raise gravest(failures) from None


def gravest(failures: BaseExceptionGroup[BaseException]) -> BaseException:
    """The first Fatal of a group, nested groups included, or else its first error."""
    failure: BaseException = failures.subgroup(Stopped) or failures
    while isinstance(failure, BaseExceptionGroup):
        failure = failure.exceptions[0]
    return failure
