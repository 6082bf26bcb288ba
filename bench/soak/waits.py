"""Waiting for other processes, each time with an end."""

import asyncio
import time
from collections.abc import Awaitable, Callable

LOOK_SECONDS = 0.05


class StuckError(Exception):
    """Something has not ended in its time."""


async def holds_within(seconds: float, condition: Callable[[], bool]) -> bool:
    """Whether ``condition`` holds, as soon as it does; False after ``seconds``."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        await asyncio.sleep(LOOK_SECONDS)
    return True


async def until(seconds: float, what: str, condition: Callable[[], Awaitable[bool]]) -> None:
    """Return once ``condition`` holds. Raises StuckError, with ``what`` was waited for, after ``seconds``."""
    deadline = time.monotonic() + seconds
    while not await condition():
        if time.monotonic() > deadline:
            raise StuckError(f"waited {seconds:g} s for {what}")
        await asyncio.sleep(LOOK_SECONDS)
