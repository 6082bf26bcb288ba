"""The phase moves of a soak: real commands, of which some are killed at a failpoint; the same command then goes on."""

import asyncio
import random
import signal

from bench.soak.plan import Done
from bench.soak.processes import Command
from bench.soak.site import Site
from bench.soak.waits import StuckError, holds_within
from service.control.state import load_started_state
from service.core.phases.acting import Phase
from service.failpoints import Failpoint
from service.rehearsal.moves import resolve_conflicts

MOVE_SECONDS = 600.0
ATTEMPTS = 10
"""At the end of the backfill: each ends when a fault or a busy machine takes its lease."""
PASSED: tuple[Failpoint, ...] = ("move_step_done", "move_announced", "move_step_saved", "state_saved", "lease_taken")
BACKFILL: tuple[Failpoint, ...] = (
    "window_copied",
    "segment_saved",
    "backfill_copied",
    "backfill_closed",
    "lease_taken",
)
BACKFILL_SHARE = 4
"""At most one of so many kills is of the backfill."""

KILLED_SHARE = 0.6
"""Of the attempts at a move, those that are armed."""


class Moves:
    """Runs commands to their end."""

    def __init__(self, site: Site, done: Done, rng: random.Random) -> None:
        self._site = site
        self._done = done
        self._rng = rng

    async def migrate(self, kills: int) -> None:
        """The backfill, killed at its failpoints: at each, or in a soak of few ``kills`` at some; then once more, to its end."""
        for name in BACKFILL[: max(1, kills // BACKFILL_SHARE)]:
            await self._ended(("migrate",), f"{name}@1=kill")
        for _ in range(ATTEMPTS):
            if await self._ended(("migrate",)) == 0:
                return
        raise StuckError("the backfill has not ended with status 0: see migrate.log")

    async def move(self, to: Phase, *command: str) -> None:
        """Make the move. Raises StuckError when it is not made within MOVE_SECONDS."""
        try:
            async with asyncio.timeout(MOVE_SECONDS):
                while not await self._is_in(to):
                    await resolve_conflicts(self._site.app)
                    name = self._rng.choice(PASSED) if self._rng.random() < KILLED_SHARE else None
                    armed = None if name is None else f"{name}@{self._rng.randint(1, 3)}=kill"
                    await self._ended((*command, "--yes", "--wait", "20", "--why", "soak"), armed)
        except TimeoutError:
            raise StuckError(f"the move to {to} was not made within {MOVE_SECONDS:g} s: see {command[0]}.log") from None
        self._done.moves += 1

    async def _is_in(self, phase: Phase) -> bool:
        app = self._site.app
        state = await load_started_state(app.control, app.mapping)
        return state.phase == phase and state.move is None

    async def _ended(self, arguments: tuple[str, ...], armed: str | None = None) -> int:
        command = Command(arguments, self._site.environment, self._site.folder, f"{arguments[0]}.log", armed)
        try:
            await holds_within(MOVE_SECONDS, lambda: command.exit_code is not None)
        finally:
            command.kill()
        code = command.exit_code
        if armed is not None and code == -signal.SIGKILL:
            self._done.kills[armed.partition("@")[0]] += 1
        assert code is not None
        return code
