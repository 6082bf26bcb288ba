"""Task groups raise one error, the gravest; a cancelled caller stays cancelled."""

import asyncio
from typing import NoReturn

import pytest

from service.errors import Fenced, Retryable
from service.tasks import task_group


async def fail(error: Exception) -> NoReturn:
    raise error


async def both() -> None:
    async with task_group() as tasks:
        tasks.create_task(fail(Retryable("again", reason="test")))
        tasks.create_task(fail(Fenced("lost")))


async def with_a_body() -> None:
    async with task_group() as tasks:
        tasks.create_task(fail(Fenced("lost")))
        await asyncio.Event().wait()


@pytest.mark.parametrize("work", [both, with_a_body])
async def test_a_fatal_goes_before_what_would_be_tried_again(work):
    with pytest.raises(Fenced):
        await work()


async def test_a_caller_that_tries_again_ends_when_it_is_cancelled_while_a_task_fails():
    begun = asyncio.Event()

    async def fenced_when_stopped() -> None:
        begun.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            raise Fenced("lost") from None

    async def serve() -> None:
        while True:
            try:
                async with task_group() as tasks:
                    tasks.create_task(fenced_when_stopped())
                    await asyncio.Event().wait()
            except Fenced:
                begun.clear()

    serving = asyncio.create_task(serve())
    await begun.wait()
    serving.cancel()
    done, _ = await asyncio.wait({serving}, timeout=5)
    assert done
    assert serving.cancelled()
