"""The workers' beats: what each sync process last said of itself, in the control table."""

from dataclasses import field
from typing import Literal

from pydantic import ConfigDict
from pydantic.dataclasses import dataclass

from service.clock import Clock
from service.control_table import ControlTable
from service.streams.engine import ROUNDS_TO_PASS

BEAT_SECONDS = 0.5
QUIET_SECONDS = 10.0
"""A worker whose beat is older has stopped or lost its connection. The clocks of the machines must agree better than this."""

FORGOTTEN_SECONDS = 3600.0

BEATS = 2
"""The second beat after one that was seen was measured after the look, because the first one was written before it began."""


@dataclass(frozen=True, slots=True, config=ConfigDict(extra="forbid"))
class Beat:
    """What a worker said. number: counts its beats; said_at: epoch seconds; role: owner of the stream's lease, standby, or stopped.

    rounds, shards, lag_seconds, retention_headroom_seconds: of its engine; outcomes: of its writes; failure: why it stopped.
    """

    number: int
    said_at: float
    role: Literal["owner", "standby", "stopped"]
    rounds: int = 0
    shards: int = 0
    lag_seconds: float = 0.0
    retention_headroom_seconds: float | None = None
    outcomes: dict[str, int] = field(default_factory=dict)
    failure: str | None = None


class Workers:
    """Every worker's last beat."""

    def __init__(self, control: ControlTable, clock: Clock) -> None:
        self._beats = control.records("worker", Beat)
        self._clock = clock

    async def all(self) -> dict[str, Beat]:
        """The beats of the last hour, by worker id."""
        oldest = self._clock.now() - FORGOTTEN_SECONDS
        return {
            worker: stored.value
            for worker, stored in (await self._beats.all()).items()
            if stored.value.said_at > oldest
        }

    async def heard(self) -> dict[str, Beat]:
        """The beats of the workers that have not fallen silent, by worker id."""
        quiet = self._clock.now() - QUIET_SECONDS
        return {worker: beat for worker, beat in (await self.all()).items() if beat.said_at > quiet}

    async def say(self, worker: str, beat: Beat) -> None:
        """Replace the worker's last beat."""
        await self._beats.save(worker, beat)

    async def leave(self, worker: str) -> None:
        """Forget the worker, and those that have been silent for an hour."""
        alive = await self.all()
        for name in await self._beats.all():
            if name == worker or name not in alive:
                await self._beats.forget(name)

    async def owner(self) -> tuple[str, Beat] | None:
        """The worker that has the stream's lease and is heard of, if any."""
        owners = [(worker, beat) for worker, beat in (await self.heard()).items() if beat.role == "owner"]
        return max(owners, key=lambda one: one[1].said_at, default=None)

    async def caught_up(self, within_seconds: float) -> bool:
        """Whether every shard has been read to its end and applied since this was asked; False when that isn't known in time.

        No clock is compared: it looks for enough beats and then for enough rounds of one and the same owner.
        """
        deadline = self._clock.monotonic() + within_seconds
        asked = await self.owner()
        base: int | None = None
        while asked is not None and self._clock.monotonic() < deadline:
            now = await self.owner()
            if now is None or now[0] != asked[0]:
                return False
            if base is None and now[1].number >= asked[1].number + BEATS:
                base = now[1].rounds
            if base is not None and now[1].rounds >= base + ROUNDS_TO_PASS:
                return True
            await self._clock.sleep(BEAT_SECONDS / 2)
        return False
