"""The workers' beats: what each sync process last said of itself, lane by lane, in the control table."""

import os
import socket
from dataclasses import field
from functools import cache
from secrets import token_hex
from typing import Literal

from pydantic import ConfigDict
from pydantic.dataclasses import dataclass

from service.clock import Clock
from service.control.table import ControlTable
from service.core.phases.acting import Acting
from service.core.shards import ROUNDS_TO_PASS

QUIET_SECONDS = 10.0
"""A worker that has said nothing for so long has stopped or lost its connection. The clocks of the machines must agree better than
this."""

FORGOTTEN_SECONDS = 3600.0

SAID_SINCE = 2
"""The second thing said after one that was seen was measured after the look, because the first one was written before it began."""


BEAT_SECONDS = 0.5
LaneName = Literal["forward", "reverse"]
FORWARD: tuple[LaneName, ...] = ("forward",)
BOTH: tuple[LaneName, ...] = ("forward", "reverse")


@dataclass(frozen=True, slots=True, config=ConfigDict(extra="forbid"))
class LaneBeat:
    """What one lane of a worker says. role: owner of the lane's lease, standby, stopped, or reader: it reads shards, and another
    worker is the owner (kcl engine).

    acting: what it works by, None while it does not read. rounds, shards, lag_seconds, retention_headroom_seconds: of its
    engines, the worst of them. lag_low_since: epoch seconds since when lag has been below the limit of the gate, None: it is not.
    shards_waiting: of the shards, those that wait for their parents; shards_finished: further ones that are read to their end.
    catch_up_seconds: expected until there is no lag, None: not known.
    outcomes: of its writes; tombstones_overdue: that should be purged by now; failure: why it stopped.
    """

    role: Literal["owner", "reader", "standby", "stopped"] = "standby"
    acting: Acting | None = None
    rounds: int = 0
    shards: int = 0
    lag_seconds: float = 0.0
    lag_low_since: float | None = None
    retention_headroom_seconds: float | None = None
    outcomes: dict[str, int] = field(default_factory=dict)
    tombstones_overdue: int = 0
    failure: str | None = None
    shards_waiting: int = 0
    shards_finished: int = 0
    catch_up_seconds: float | None = None

    @property
    def reads(self) -> bool:
        """Whether it applies changes."""
        return self.role in ("owner", "reader")

    @property
    def at_tip(self) -> bool:
        """Whether it reads the streams and knows of nothing unapplied."""
        return self.rounds > 0 and self.lag_seconds == 0


@dataclass(frozen=True, slots=True, config=ConfigDict(extra="forbid"))
class Beat:
    """What a worker said. number: counts its beats; said_at: epoch seconds."""

    number: int
    said_at: float
    forward: LaneBeat = field(default_factory=LaneBeat)
    reverse: LaneBeat = field(default_factory=LaneBeat)

    def lane(self, name: LaneName) -> LaneBeat:
        """One of its lanes."""
        return self.forward if name == "forward" else self.reverse

    def alive(self, now: float) -> bool:
        """Whether its worker has not been silent for QUIET_SECONDS at ``now``, epoch seconds."""
        return self.said_at > now - QUIET_SECONDS


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
        now = self._clock.now()
        return {worker: beat for worker, beat in (await self.all()).items() if beat.alive(now)}

    async def say(self, worker: str, beat: Beat) -> None:
        """Replace the worker's last beat."""
        await self._beats.save(worker, beat)

    async def leave(self, worker: str) -> None:
        """Forget the worker, and those that have been silent for an hour."""
        alive = await self.all()
        for name in await self._beats.all():
            if name == worker or name not in alive:
                await self._beats.forget(name)

    async def owner(self, lane: LaneName = "forward") -> tuple[str, Beat] | None:
        """The worker that has the lane's lease and is heard of, if any."""
        return owner_among(await self.heard(), lane)

    async def caught_up(
        self, within_seconds: float, lanes: tuple[LaneName, ...] = FORWARD, acting: Acting | None = None
    ) -> bool:
        """Whether every shard of ``lanes`` has been read to its end and applied since this was asked; False when that isn't
        known in time.

        ``acting``: and by this, from before the first of the rounds that count. No clock is compared: it looks for enough
        beats and then for enough rounds of one and the same owner of each lane.
        """
        deadline = self._clock.monotonic() + within_seconds
        heard = await self.heard()
        questions = [_Question(lane, acting, heard) for lane in lanes]
        while self._clock.monotonic() < deadline and all(question.look(heard) for question in questions):
            if all(question.answered for question in questions):
                return True
            await self._clock.sleep(BEAT_SECONDS / 2)
            heard = await self.heard()
        return False


class _Question:
    """Whether one lane has caught up since the first beat that was seen."""

    def __init__(self, lane: LaneName, acting: Acting | None, heard: dict[str, Beat]) -> None:
        self.answered = False
        self._lane = lane
        self._acting = acting
        self._asked = owner_among(heard, lane)
        self._base: int | None = None

    def look(self, heard: dict[str, Beat]) -> bool:
        """Take the beats as they are now into account; False: there will be no answer."""
        now = owner_among(heard, self._lane)
        if self._asked is None or now is None or now[0] != self._asked[0]:
            return False
        said = now[1].lane(self._lane)
        if self._acting is not None and said.acting != self._acting:
            return False
        if self._base is None and now[1].number >= self._asked[1].number + SAID_SINCE:
            self._base = said.rounds
        self.answered = self._base is not None and said.rounds >= self._base + ROUNDS_TO_PASS
        return True


def owner_among(heard: dict[str, Beat], lane: LaneName) -> tuple[str, Beat] | None:
    """The owner of ``lane`` that was heard of last."""
    owners = [(worker, beat) for worker, beat in heard.items() if beat.lane(lane).role == "owner"]
    return max(owners, key=lambda one: one[1].said_at, default=None)


@cache
def worker_id() -> str:
    """Host, process id and something random: one process's own, also in containers where every process id is 1."""
    return f"{socket.gethostname()}-{os.getpid()}-{token_hex(3)}"
