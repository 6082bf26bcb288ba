"""Decides, by a seed, which request takes effect next among asyncio tasks that run the real service code.

Every request waits until the conductor lets it continue, and so does every sleep: a sleep may end late too.
"""

import asyncio
from dataclasses import dataclass
from random import Random

PASSES = 3
"""Rounds of the event loop between two decisions. A task that does not wait yet by then is not among the choices."""

IDLE_PASSES = 50


class Killed(Exception):
    """The process has been killed: none of its requests is made any more."""


class Conductor:
    """A scheduler, and the clock of its tasks. ``frozen``: the processes that do not continue, like a paused virtual machine."""

    def __init__(self, rng: Random) -> None:
        self._rng = rng
        self._requests: list[Waiting] = []
        self._sleeps: list[Waiting] = []
        self._elapsed = 0.0
        self.frozen: set[object] = set()

    def monotonic(self) -> float:
        return self._elapsed

    def now(self) -> float:
        return 1_700_000_000.0 + self._elapsed

    async def sleep(self, seconds: float) -> None:
        due = self._elapsed + seconds
        await _wait_for_turn(None, self._sleeps)
        self._elapsed = max(self._elapsed, due)

    async def request(self, process: object = None) -> None:
        """Wait until the request of ``process`` may take effect (None: the application's)."""
        await _wait_for_turn(process, self._requests)

    async def step(self) -> bool:
        """Let one request or sleep continue. False: only frozen processes wait."""
        for _ in range(IDLE_PASSES):
            for _ in range(PASSES):
                await asyncio.sleep(0)
            waiting = self._choice()
            if waiting:
                self._rng.choice(waiting).turn.set_result(None)
                return True
        return False

    def _choice(self) -> "list[Waiting]":
        requests = [waiting for waiting in self._requests if waiting.waits and waiting.process not in self.frozen]
        sleeps = [waiting for waiting in self._sleeps if waiting.waits]
        if requests and sleeps:
            return sleeps if self._rng.random() < 0.1 else requests
        return requests or sleeps


@dataclass(frozen=True, slots=True, eq=False)
class Waiting:
    """A process's request or sleep that waits for its turn."""

    process: object
    turn: asyncio.Future[None]

    @property
    def waits(self) -> bool:
        return not self.turn.done()


async def _wait_for_turn(process: object, queue: list[Waiting]) -> None:
    waiting = Waiting(process, asyncio.get_running_loop().create_future())
    queue.append(waiting)
    try:
        await waiting.turn
    finally:
        queue.remove(waiting)
