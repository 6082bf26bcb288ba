"""Task groups raise one error, the gravest; a cancelled caller stays cancelled."""

import asyncio
from typing import NoReturn

import pytest

from service.errors import Fenced, Retryable
from service.tasks import task_group
from tests.fakes.clocks import settle


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
async def test_an_error_that_stops_wins_over_one_that_is_retried(work):
    with pytest.raises(Fenced):
        await work()


async def waits_in_the_block(tasks: asyncio.TaskGroup) -> None:
    await asyncio.Event().wait()


async def waits_at_its_end(tasks: asyncio.TaskGroup) -> None:
    """The tasks are all that there is to wait for."""


async def fails_in_the_block(tasks: asyncio.TaskGroup) -> None:
    raise Retryable("again", reason="test")


@pytest.mark.parametrize("body", [waits_in_the_block, waits_at_its_end, fails_in_the_block])
async def test_a_caller_that_retries_ends_when_it_is_cancelled_while_a_task_fails(body):
    begun, stopping = asyncio.Event(), asyncio.Event()

    async def fenced_when_stopped() -> None:
        begun.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            stopping.set()
            await settle()
            raise Fenced("lost") from None

    async def serve() -> None:
        while True:
            try:
                async with task_group() as tasks:
                    tasks.create_task(fenced_when_stopped())
                    await begun.wait()
                    await body(tasks)
            except (Fenced, Retryable):
                begun.clear()

    serving = asyncio.create_task(serve())
    await (stopping if body is fails_in_the_block else begun).wait()
    serving.cancel()
    done, _ = await asyncio.wait({serving}, timeout=300)
    assert done
    assert serving.cancelled()
