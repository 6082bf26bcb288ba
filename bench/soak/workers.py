"""The two sync processes of a soak: each is armed with a failpoint, watched, continued after a pause, and started anew."""

import asyncio
import random
import signal
import time
from collections import Counter
from dataclasses import dataclass

from bench.soak.plan import ANY_MOMENT, Done
from bench.soak.processes import Command
from bench.soak.site import Site
from bench.soak.waits import LOOK_SECONDS, holds_within
from service.failpoints import NAMES, Action, Failpoint

PASSAGES = 3
"""A failpoint is armed for one of its first passages."""

PAUSES = (0.5, 2.0)
"""So many seconds longer than its lease a process stands still: shorter than the time for which the design promises that a worker
that was superseded can still write (``Settings.writer_horizon_seconds``)."""

ELSEWHERE: frozenset[Failpoint] = frozenset(
    {
        *("window_copied", "segment_saved", "backfill_copied", "backfill_closed"),
        *("move_step_done", "move_announced", "move_step_saved", "state_saved"),
    }
)
"""Those that a sync does not pass: of the commands that copy and that move the phase."""

AT_THE_END: frozenset[Failpoint] = frozenset({"lease_due_back", "lease_released"})
"""Those that a sync passes when it is stopped in an orderly way."""

STOP_AFTER_SECONDS = 1.0
STOP_SECONDS = 10.0


@dataclass(slots=True)
class Slot:
    """One of the two processes."""

    number: int
    command: Command
    name: str | None
    """The failpoint that is armed."""
    action: Action
    started: float
    still_until: float | None = None
    """When it is continued; None: it runs."""
    asked_to_stop: bool = False


class Workers:
    """Runs two ``tablesplit sync`` until the end of the block of ``running``."""

    def __init__(self, site: Site, done: Done, rng: random.Random) -> None:
        self._site = site
        self._done = done
        self._rng = rng
        self._tried: Counter[tuple[str, str]] = Counter()
        self.phase = "forward"
        self.pause_share = 0.0
        """Of the failpoints that are armed, how many pause."""
        self.armed = False
        """Whether processes that are started are armed."""
        self._slots = [self._started(number) for number in range(2)]

    async def watch(self) -> None:
        """Continue what has paused, and start what has ended, until cancelled."""
        while True:
            for slot in self._slots:
                self._look_at(slot)
            await asyncio.sleep(LOOK_SECONDS)

    def end(self) -> None:
        """Kill both."""
        for slot in self._slots:
            slot.command.kill()

    async def stop(self) -> None:
        """Stop both in an orderly way, within STOP_SECONDS."""
        for slot in self._slots:
            slot.command.send(signal.SIGCONT)
            slot.command.send(signal.SIGTERM)
        await holds_within(STOP_SECONDS, lambda: all(slot.command.exit_code is not None for slot in self._slots))
        self.end()

    def kill_one(self) -> None:
        """kill -9 of one of them, now."""
        slot = self._rng.choice(self._slots)
        slot.command.kill()
        self._done.kills[ANY_MOMENT] += 1
        self._start_again(slot)

    def pause_one(self) -> None:
        """Let one of them stand still from now on, if none does."""
        if all(slot.still_until is None for slot in self._slots):
            slot = self._rng.choice(self._slots)
            slot.command.send(signal.SIGSTOP)
            self._paused(slot, ANY_MOMENT)

    @property
    def both_run(self) -> bool:
        """Whether none stands still."""
        return all(slot.still_until is None for slot in self._slots)

    def _look_at(self, slot: Slot) -> None:
        code = slot.command.exit_code
        if code is not None:
            self._note_end(slot, code)
            self._start_again(slot)
        elif slot.still_until is not None:
            if time.monotonic() >= slot.still_until:
                slot.still_until = None
                slot.command.send(signal.SIGCONT)
        elif slot.name is not None and slot.action == "pause" and slot.command.stands_still:
            self._paused(slot, slot.name)
        elif (
            slot.name in AT_THE_END and not slot.asked_to_stop and time.monotonic() > slot.started + STOP_AFTER_SECONDS
        ):
            slot.asked_to_stop = True
            slot.command.send(signal.SIGTERM)

    def _note_end(self, slot: Slot, code: int) -> None:
        if code == -signal.SIGKILL and slot.name is not None:
            self._done.kills[slot.name] += 1
        elif slot.asked_to_stop:
            self._done.stopped += 1
        else:
            self._done.ended.append(f"sync {slot.number} with status {code}")

    def _paused(self, slot: Slot, name: str) -> None:
        slot.still_until = time.monotonic() + self._site.lease_seconds + self._rng.uniform(*PAUSES)
        self._done.pauses[name] += 1

    def _start_again(self, slot: Slot) -> None:
        self._slots[slot.number] = self._started(slot.number)

    def _started(self, number: int) -> Slot:
        name, action = self._next() if self.armed else (None, "kill")
        armed = None if name is None else f"{name}@{self._passage(name)}={action}"
        command = Command(("sync", "--no-http"), self._site.environment, self._site.folder, f"sync-{number}.log", armed)
        return Slot(number, command, name, action, time.monotonic())

    def _passage(self, name: Failpoint) -> int:
        return 1 if name in AT_THE_END else self._rng.randint(1, PASSAGES)

    def _next(self) -> tuple[Failpoint, Action]:
        """One of those that were armed least often in this phase."""
        names = [name for name in NAMES if name not in ELSEWHERE]
        least = min(self._tried[self.phase, name] for name in names)
        name = self._rng.choice([name for name in names if self._tried[self.phase, name] == least])
        self._tried[self.phase, name] += 1
        pause = self._rng.random() < self.pause_share and name not in AT_THE_END
        return name, "pause" if pause else "kill"
