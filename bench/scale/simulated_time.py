"""Simulated time: a ``service.clock.Clock`` made of simpy's events, in which the real limits of the backfill run unchanged.

A coroutine that awaits nothing but ``SimulatedClock.sleep`` and ``Until`` is a simpy process.
"""

from collections.abc import Coroutine, Generator
from dataclasses import dataclass
from typing import Any

from simpy import Environment, Event, Process


@dataclass(frozen=True, slots=True)
class Until:
    """An awaitable that waits for an event of simpy."""

    event: Event

    def __await__(self) -> Generator[Event, Any, Any]:
        return (yield self.event)


class SimulatedClock:
    """A Clock whose time passes as fast as its events can be processed. It starts at 0."""

    def __init__(self) -> None:
        self.environment = Environment()

    def monotonic(self) -> float:
        """Simulated seconds since the start."""
        return float(self.environment.now)

    def now(self) -> float:
        """The same: the simulation has no epoch."""
        return self.monotonic()

    async def sleep(self, seconds: float) -> None:
        """Return after ``seconds`` of simulated time."""
        if seconds > 0:
            await Until(self.environment.timeout(seconds))

    def start(self, coroutine: Coroutine[Any, Any, Any]) -> Process:
        """Start the coroutine. The returned process is also the event of its end."""
        return self.environment.process(coroutine)  # type: ignore[arg-type]  # simpy needs send and throw, and a coroutine has both

    def run(self, process: Process) -> None:
        """Let time pass until ``process`` has ended."""
        self.environment.run(until=process)
