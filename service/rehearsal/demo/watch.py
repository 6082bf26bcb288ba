"""Watches the demonstration: looks at both sides again and again, and gives what it sees, and every event, to a screen."""

from collections import deque
from collections.abc import Mapping
from contextlib import suppress
from typing import Protocol

from backfill.progress import Snapshot
from service.app import App
from service.control.state import load_started_state
from service.control.workers import Watched, Workers
from service.core.phases.acting import Side
from service.errors import Retryable
from service.rehearsal.demo.live import CARRIED, Live, SideLive, lag_of
from service.rehearsal.sync_process import SyncProcess
from service.rehearsal.write_log import WriteLog

LOOK_SECONDS = 0.5
RATE_LOOKS = 6
"""Writes a second are counted over so many looks."""


class Screen(Protocol):
    """Where the demonstration is shown."""

    def event(self, line: str) -> None:
        """Show what has happened; it stays."""

    def show(self, live: Live) -> None:
        """Show how things are, instead of what was shown before."""


class Watch:
    """Implements the backfill's ``Display``, so that its progress is shown with everything else."""

    def __init__(self, app: App, screen: Screen, log: WriteLog, sync: SyncProcess) -> None:
        self._app = app
        self._screen = screen
        self._log = log
        self._sync = sync
        self._began = app.clock.monotonic()
        self._workers = Workers(app.control, app.clock)
        self._copied = 0
        self._counts: deque[tuple[float, dict[Side, int]]] = deque(maxlen=RATE_LOOKS)

    @property
    def seconds(self) -> float:
        """Since the demonstration began."""
        return self._app.clock.monotonic() - self._began

    def say(self, line: str) -> None:
        """Something has happened."""
        self._screen.event(f"{self.seconds:4.0f} s  {line}")

    def show(self, snapshot: Snapshot) -> None:
        """The backfill's progress, shown at the next look."""
        self._copied = snapshot.outcomes.items

    async def run(self) -> None:
        """Look until cancelled. Raises Fatal when sync ends by itself."""
        while True:
            self._sync.require_running()
            await self.look()
            await self._app.clock.sleep(LOOK_SECONDS)

    async def look(self) -> None:
        """Show how things are."""
        with suppress(Retryable):  # a server that is busy is looked at again
            self._screen.show(await self._look())

    async def _look(self) -> Live:
        state = await load_started_state(self._app.control, self._app.mapping)
        watched = await self._workers.watch(0.0)
        writes: dict[Side, int] = {
            side: sum(attempt.side == side for attempt in self._log.acknowledged) for side in CARRIED
        }
        self._counts.append((self.seconds, writes))
        sides = {
            side: SideLive(count, self._rate(side), lag_of(watched, CARRIED[side][0])) for side, count in writes.items()
        }
        moving = "" if state.move is None else f", on its way to {state.move.to}: {state.move.step}"
        return Live(self.seconds, f"{state.phase}{moving}", sides, self._copied, self._sync_text(watched))

    def _rate(self, side: Side) -> float:
        (since, first), (until, last) = self._counts[0], self._counts[-1]
        return (last[side] - first[side]) / (until - since) if until > since else 0.0

    def _sync_text(self, watched: Mapping[str, Watched]) -> str:
        process = f"process {self._sync.pid}"
        if not self._sync.runs:
            return f"{process} was killed (kill -9): nothing is carried"
        beats = [seen.beat for worker, seen in watched.items() if f"-{self._sync.pid}-" in worker]
        roles = {lane.role for beat in beats for lane in (beat.forward, beat.reverse)}
        doing = "starts" if not roles else "carries" if roles == {"owner"} else "waits for its leases"
        return f"{process} {doing}"
