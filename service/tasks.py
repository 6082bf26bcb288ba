"""Task groups that fail with one error: callers catch Stopped and Retryable, not groups of them."""

import asyncio
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from typing import Any, TypeVar

from service.errors import Stopped

T = TypeVar("T")


class Tasks(asyncio.TaskGroup):
    """A TaskGroup whose tasks can be awaited inside its block."""

    def __init__(self) -> None:
        super().__init__()
        self._running: set[asyncio.Task[Any]] = set()

    def create_task(  # type: ignore[override]  # narrower: a coroutine, and options by name
        self, coro: Coroutine[Any, Any, T], **options: Any
    ) -> asyncio.Task[T]:
        """Like ``TaskGroup.create_task``."""
        task: asyncio.Task[T] = super().create_task(coro, **options)
        self._running.add(task)
        task.add_done_callback(self._running.discard)
        return task

    async def ended(self) -> None:
        """Return when every task has ended."""
        while self._running:
            await asyncio.wait(self._running)


@asynccontextmanager
async def task_group() -> AsyncIterator[Tasks]:
    """A TaskGroup that raises the gravest error itself: a Stopped rather than an error that would be retried.

    A cancellation of the caller wins over every error: otherwise a caller that retries after an error would never end. Every task
    group of the service is one of these, because a plain one that fails can leave its caller looking cancelled (see below).
    """
    caller = asyncio.current_task()
    assert caller is not None
    before = caller.cancelling()
    try:
        async with Tasks() as tasks:
            yield tasks
            # Inside the block, because a TaskGroup that fails (up to Python 3.12) undoes its own interruption of the caller only
            # if it came within the block; after the block it would look like a cancellation.
            await tasks.ended()
    except BaseExceptionGroup as failures:
        if caller.cancelling() > before:
            raise asyncio.CancelledError from gravest(failures)
        raise gravest(failures) from None


def gravest(failures: BaseExceptionGroup[BaseException]) -> BaseException:
    """The first Stopped of a group, nested groups included, or else its first error."""
    failure: BaseException = failures.subgroup(Stopped) or failures
    while isinstance(failure, BaseExceptionGroup):
        failure = failure.exceptions[0]
    return failure
