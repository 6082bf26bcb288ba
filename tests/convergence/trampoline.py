"""Steps actors one at a time, in an order that a seed decides.

An actor is a coroutine that awaits nothing but ``turn`` (the in-memory table's calls do so through their hook), so one
step is what happens between two of its requests. There is no event loop, hence 20,000 interleavings in a minute.
"""

from collections.abc import Collection, Coroutine, Generator
from random import Random
from typing import Any

WEIGHTS = (0, 1, 1, 4, 12)
"""How eager an actor is for a while; 0: it stands still, like a paused virtual machine."""

MOODINESS = (0.02, 0.05, 0.2)
"""How likely a step changes everybody's eagerness; one of these for a whole run."""


class Turn:
    """Awaiting it hands the turn to another actor."""

    def __await__(self) -> Generator[None, None, None]:
        yield


async def turn(*_request: object) -> None:
    """Let others go first. Fits as the in-memory table's ``before`` hook."""
    await Turn()


class Trampoline:
    """The actors that are alive, and who of them goes next."""

    def __init__(self, rng: Random) -> None:
        self._rng = rng
        self._moodiness = rng.choice(MOODINESS)
        self._actors: dict[str, Coroutine[Any, Any, None]] = {}
        self._weights: dict[str, int] = {}
        self._hat: list[str] = []

    def start(self, name: str, actor: Coroutine[Any, Any, None]) -> None:
        """Let ``actor`` take part under a name that nobody alive has."""
        assert name not in self._actors
        self._actors[name] = actor
        self._weights[name] = self._rng.choice(WEIGHTS)
        self._fill_hat()

    def kill(self, name: str) -> None:
        """End an actor where it stands, as kill -9 does: the request it was about to make is never made."""
        if name in self._actors:
            self._actors[name].close()
            self._leave(name)

    def names(self) -> Collection[str]:
        """Everybody alive."""
        return self._actors.keys()

    def step(self) -> None:
        """Move one actor on by one step."""
        if self._rng.random() < self._moodiness:
            self._weights = {name: self._rng.choice(WEIGHTS) for name in self._actors}
            self._fill_hat()
        name = self._hat[int(self._rng.random() * len(self._hat))]
        try:
            self._actors[name].send(None)
        except StopIteration:
            self._leave(name)

    def close(self) -> None:
        """End everybody."""
        for name in list(self._actors):
            self.kill(name)

    def _leave(self, name: str) -> None:
        del self._actors[name], self._weights[name]
        self._fill_hat()

    def _fill_hat(self) -> None:
        """Names to draw from, each as often as it is eager; all alike when nobody is."""
        self._hat = [name for name, weight in self._weights.items() for _ in range(weight)] or list(self._actors)
