"""Steps actors one at a time, in an order that a seed decides.

An actor is a coroutine that awaits nothing but ``turn`` (the in-memory table's calls do so through their hook), so one
step is what happens between two of its requests. There is no event loop, hence 20,000 interleavings in a minute.
"""

from collections.abc import Collection, Coroutine, Generator
from random import Random
from typing import Any

WEIGHTS = (0, 1, 1, 4, 12)
"""How often an actor gets a turn, for a while; 0: never, like a paused virtual machine."""

REWEIGHTING = (0.02, 0.05, 0.2)
"""How likely a step changes the weights of all actors; one of these for a whole run."""


class Turn:
    """Awaiting it hands the turn to another actor."""

    def __await__(self) -> Generator[None, None, None]:
        yield


async def turn(*_request: object) -> None:
    """Hand the turn to another actor. It can be the in-memory table's ``before`` hook."""
    await Turn()


class Trampoline:
    """The actors that are alive, and the choice which of them has the next turn."""

    def __init__(self, rng: Random) -> None:
        self._rng = rng
        self._reweighting = rng.choice(REWEIGHTING)
        self._actors: dict[str, Coroutine[Any, Any, None]] = {}
        self._weights: dict[str, int] = {}
        self._lots: list[str] = []

    def start(self, name: str, actor: Coroutine[Any, Any, None]) -> None:
        """Start ``actor`` under a name that no live actor has."""
        assert name not in self._actors
        self._actors[name] = actor
        self._weights[name] = self._rng.choice(WEIGHTS)
        self._fill_lots()

    def kill(self, name: str) -> None:
        """End an actor at once, as kill -9 does: the request that it was about to make is never made."""
        if name in self._actors:
            self._actors[name].close()
            self._leave(name)

    def names(self) -> Collection[str]:
        """The names of the live actors."""
        return self._actors.keys()

    def step(self) -> None:
        """Move one actor on by one step."""
        if self._rng.random() < self._reweighting:
            self._weights = {name: self._rng.choice(WEIGHTS) for name in self._actors}
            self._fill_lots()
        name = self._lots[int(self._rng.random() * len(self._lots))]
        try:
            self._actors[name].send(None)
        except StopIteration:
            self._leave(name)

    def close(self) -> None:
        """End all actors."""
        for name in list(self._actors):
            self.kill(name)

    def _leave(self, name: str) -> None:
        del self._actors[name], self._weights[name]
        self._fill_lots()

    def _fill_lots(self) -> None:
        """Put each name into the lots as often as its weight; every name once when all weights are 0."""
        self._lots = [name for name, weight in self._weights.items() for _ in range(weight)] or list(self._actors)
