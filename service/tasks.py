"""Task groups whose failure is one error: callers catch Fatal and Retryable, not groups of them."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from service.errors import Fatal


@asynccontextmanager
async def task_group() -> AsyncIterator[asyncio.TaskGroup]:
    """A TaskGroup that raises the gravest error itself: a Fatal before anything that would be tried again.

    When its body has been cancelled, that goes first: whoever tries again after an error would never end otherwise.
    """
    caller = asyncio.current_task()
    assert caller is not None
    before, interrupted = caller.cancelling(), False
    try:
        async with asyncio.TaskGroup() as tasks:
            try:
                yield tasks
            except asyncio.CancelledError:
                interrupted = True
                raise
    except BaseExceptionGroup as failures:
        # The group interrupts its body too when a task fails, but takes that back.
        if interrupted and caller.cancelling() > before:
            raise asyncio.CancelledError from gravest(failures)
        raise gravest(failures) from None


def gravest(failures: BaseExceptionGroup[BaseException]) -> BaseException:
    """The first Fatal of a group, nested groups included, or else its first error."""
    failure: BaseException = failures.subgroup(Fatal) or failures
    while isinstance(failure, BaseExceptionGroup):
        failure = failure.exceptions[0]
    return failure
