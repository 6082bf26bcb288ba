"""Task groups whose failure is one error: callers catch Fatal and Retryable, not groups of them."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from service.errors import Fatal


@asynccontextmanager
async def task_group() -> AsyncIterator[asyncio.TaskGroup]:
    """A TaskGroup that raises the gravest error itself: a Fatal before anything that would be tried again."""
    try:
        async with asyncio.TaskGroup() as tasks:
            yield tasks
    except BaseExceptionGroup as failures:
        raise gravest(failures) from None


def gravest(failures: BaseExceptionGroup[BaseException]) -> BaseException:
    """The first Fatal of a group, nested groups included, or else its first error."""
    failure: BaseException = failures.subgroup(Fatal) or failures
    while isinstance(failure, BaseExceptionGroup):
        failure = failure.exceptions[0]
    return failure
