"""Decides, by a seed, whose request takes effect next among asyncio tasks that run the real service code.

Every request parks until the conductor lets it go, and so does every sleep: time is just one more thing that may be late.
"""

import asyncio
from dataclasses import dataclass
from random import Random

PASSES = 3
"""Rounds of the event loop between two decisions. Who has not parked by then is not among the choices yet."""

IDLE_PASSES = 50


class Killed(Exception):
    """The process is gone: none of its requests is made any more."""


class Conductor:
    """A scheduler, and the Clock that its tasks live by. ``frozen``: who stands still, like a paused virtual machine."""

    def __init__(self, rng: Random) -> None:
        self._rng = rng
        self._requests: list[Parked] = []
        self._sleeps: list[Parked] = []
        self._elapsed = 0.0
        self.frozen: set[object] = set()

    def monotonic(self) -> float:
        return self._elapsed

    def now(self) -> float:
        return 1_700_000_000.0 + self._elapsed

    async def sleep(self, seconds: float) -> None:
        due = self._elapsed + seconds
        await _park(None, self._sleeps)
        self._elapsed = max(self._elapsed, due)

    async def request(self, who: object = None) -> None:
        """Park until the request of ``who`` may take effect."""
        await _park(who, self._requests)

    async def step(self) -> bool:
        """Let one request or sleep go on; False when nobody waits for anything but the frozen."""
        for _ in range(IDLE_PASSES):
            for _ in range(PASSES):
                await asyncio.sleep(0)
            waiting = self._choice()
            if waiting:
                self._rng.choice(waiting).turn.set_result(None)
                return True
        return False

    def _choice(self) -> "list[Parked]":
        requests = [one for one in self._requests if one.waits and one.who not in self.frozen]
        sleeps = [one for one in self._sleeps if one.waits]
        if requests and sleeps:
            return sleeps if self._rng.random() < 0.1 else requests
        return requests or sleeps


@dataclass(frozen=True, slots=True, eq=False)
class Parked:
    """Somebody's request or sleep, until its turn comes."""

    who: object
    turn: asyncio.Future[None]

    @property
    def waits(self) -> bool:
        return not self.turn.done()


async def _park(who: object, where: list[Parked]) -> None:
    parked = Parked(who, asyncio.get_running_loop().create_future())
    where.append(parked)
    try:
        await parked.turn
    finally:
        where.remove(parked)
