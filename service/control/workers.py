"""The workers' beats: what each sync process last reported about itself, lane by lane, in the control table.

A beat answers two questions from any machine: which worker reads a lane, and whether a lane has caught up. A worker is alive while
its beat moves (``sightings``).
"""

import os
import socket
from collections.abc import Mapping
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

SILENT_SECONDS = 10.0
"""A worker whose beat has not moved for so long has stopped or lost its connection."""

WATCH_SECONDS = 2.0
"""How long a reader watches a beat that it has not seen moving, for an answer that need not be certain."""

PARTITION = "worker"

FORGOTTEN_SECONDS = 3600.0
"""A worker that has been silent for so long is no longer listed."""

BEATS_TO_BE_FRESH = 2
"""The question saw beat n. Beat n+1 may have been measured before the question, and written after it. Beat n+2 was certainly
measured after the question, because it was measured after beat n+1 was written."""

BEAT_SECONDS = 0.5
"""How often a worker reports, at least."""

BEATS_A_HEARTBEAT = 2

LaneName = Literal["forward", "reverse"]
FORWARD: tuple[LaneName, ...] = ("forward",)
BOTH: tuple[LaneName, ...] = ("forward", "reverse")


def beat_seconds(heartbeat_seconds: float) -> float:
    """How often a worker reports, and looks for another phase or rule: where its leases are short, so is what a move waits for."""
    return min(BEAT_SECONDS, heartbeat_seconds / BEATS_A_HEARTBEAT)


@dataclass(frozen=True, slots=True, config=ConfigDict(extra="forbid", defer_build=True))
class LaneBeat:
    """What a worker reports about one of its lanes. Of several engines, the worst value counts."""

    role: Literal["owner", "reader", "standby", "stopped"] = "standby"
    """owner: holds the lane's lease. reader: reads shards while another worker is the owner (kcl engine). standby, stopped:
    does not read."""
    acting: Acting | None = None
    """The phase, rule and epoch that the lane acts by; None while it does not read."""
    rounds: int = 0
    shards: int = 0
    """How many shards are not read to their end."""
    lag_seconds: float = 0.0
    lag_low_since: float | None = None
    """Since when lag has been below the limit of the gate, in epoch seconds; None: it is not."""
    retention_headroom_seconds: float | None = None
    outcomes: dict[str, int] = field(default_factory=dict)
    """How many of its writes had each outcome."""
    tombstones_overdue: int = 0
    """How many tombstones should have been purged by now."""
    failure: str | None = None
    """Why the lane stopped."""
    shards_waiting: int = 0
    """How many of ``shards`` wait for their parents."""
    shards_finished: int = 0
    """How many further shards are read to their end."""
    catch_up_seconds: float | None = None
    """The expected time until there is no lag; None: not known."""

    @property
    def reads(self) -> bool:
        """Whether the lane applies changes."""
        return self.role in ("owner", "reader")

    @property
    def at_tip(self) -> bool:
        """Whether the lane reads the streams and knows of nothing unapplied."""
        return self.rounds > 0 and self.lag_seconds == 0


@dataclass(frozen=True, slots=True, config=ConfigDict(extra="forbid", defer_build=True))
class Beat:
    """One report of a worker."""

    number: int
    """Counts the worker's beats."""
    said_at: float
    """When it was reported, in epoch seconds."""
    forward: LaneBeat = field(default_factory=LaneBeat)
    reverse: LaneBeat = field(default_factory=LaneBeat)

    def lane(self, name: LaneName) -> LaneBeat:
        """The report about one of its lanes."""
        return self.forward if name == "forward" else self.reverse


@dataclass(frozen=True, slots=True)
class Watched:
    """A beat, and what this process has seen of it."""

    beat: Beat
    alive: bool
    """It was seen moving, and not longer than SILENT_SECONDS ago."""
    unchanged_seconds: float
    """How long it has been seen unchanged."""


class Workers:
    """Every worker's last beat."""

    def __init__(self, control: ControlTable, clock: Clock) -> None:
        self._beats = control.records(PARTITION, Beat)
        self._sightings = control.sightings(PARTITION, SILENT_SECONDS)
        self._clock = clock

    async def watch(self, within_seconds: float = WATCH_SECONDS) -> dict[str, Watched]:
        """Every beat, by worker id, without those that have been silent for an hour.

        Watches, for ``within_seconds`` at most, the beats that this process has not seen moving. SILENT_SECONDS: for certain.
        """
        found = await self._look()
        while self._sightings.undecided(within_seconds, self._clock.monotonic()):
            await self._clock.sleep(BEAT_SECONDS / 2)
            found = await self._look()
        oldest = self._clock.now() - FORGOTTEN_SECONDS
        return {worker: seen for worker, seen in found.items() if seen.alive or seen.beat.said_at > oldest}

    async def live(self, within_seconds: float = WATCH_SECONDS) -> dict[str, Beat]:
        """The beats of the workers that are alive, by worker id, in the order in which they were last seen moving.

        ``within_seconds``: as for ``watch``.
        """
        watched = sorted((await self.watch(within_seconds)).items(), key=lambda item: -item[1].unchanged_seconds)
        return {worker: seen.beat for worker, seen in watched if seen.alive}

    async def _look(self) -> dict[str, Watched]:
        stored = await self._beats.all()
        now = self._clock.monotonic()
        self._sightings.look({worker: beat.rev for worker, beat in stored.items()}, now)
        return {
            worker: Watched(
                beat.value, self._sightings.alive(worker, now), self._sightings.unchanged_seconds(worker, now)
            )
            for worker, beat in stored.items()
        }

    async def report(self, worker: str, beat: Beat) -> None:
        """Replace the worker's last beat."""
        await self._beats.save(worker, beat)

    async def leave(self, worker: str) -> None:
        """Forget the worker, and those that have been silent for an hour."""
        recent = await self.watch(0.0)
        for name in await self._beats.all():
            if name == worker or name not in recent:
                await self._beats.forget(name)

    async def caught_up(
        self, within_seconds: float, lanes: tuple[LaneName, ...] = FORWARD, acting: Acting | None = None
    ) -> bool:
        """Whether every change that was in the streams of ``lanes`` when this was called has been read and applied.

        False also when that is not known within ``within_seconds``. ``acting``: and if it was applied by this phase, rule and
        epoch, from before the first of the rounds that count. Clocks are not compared: this waits for enough beats, and then
        for enough rounds, of one and the same owner of each lane.
        """
        deadline = self._clock.monotonic() + within_seconds
        live = await self.live(min(WATCH_SECONDS, within_seconds))
        questions = [_Question(lane, acting, live) for lane in lanes]
        while self._clock.monotonic() < deadline and all(question.update(live) for question in questions):
            if all(question.caught_up for question in questions):
                return True
            await self._clock.sleep(BEAT_SECONDS / 2)
            live = await self.live(0.0)
        return False


class _Question:
    """Whether one lane has caught up since the first beat that was seen."""

    def __init__(self, lane: LaneName, acting: Acting | None, live: dict[str, Beat]) -> None:
        self.caught_up = False
        self._lane = lane
        self._acting = acting
        self._first = owner_among(live, lane)
        self._first_rounds: int | None = None

    def update(self, live: dict[str, Beat]) -> bool:
        """Take the newest beats into account. False: the question cannot be answered any more."""
        owner = owner_among(live, self._lane)
        if self._first is None or owner is None or owner[0] != self._first[0]:
            return False
        beat, lane_beat = owner[1], owner[1].lane(self._lane)
        if self._acting is not None and lane_beat.acting != self._acting:
            return False
        if self._first_rounds is None and beat.number >= self._first[1].number + BEATS_TO_BE_FRESH:
            self._first_rounds = lane_beat.rounds
        self.caught_up = self._first_rounds is not None and lane_beat.rounds >= self._first_rounds + ROUNDS_TO_PASS
        return True


def owner_among(live: Mapping[str, Beat], lane: LaneName) -> tuple[str, Beat] | None:
    """The owner of ``lane`` among the beats that ``Workers.live`` returned; of two, the one that was seen moving last."""
    owners = [(worker, beat) for worker, beat in live.items() if beat.lane(lane).role == "owner"]
    return owners[-1] if owners else None


@cache
def worker_id() -> str:
    """The id of this process: host, process id and something random. So it is unique in containers too, where every process id
    is 1."""
    return f"{socket.gethostname()}-{os.getpid()}-{token_hex(3)}"
