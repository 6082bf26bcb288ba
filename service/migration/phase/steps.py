"""The steps of a phase move: what each changes, and what it waits for. Each of them can be repeated.

A step that waits has a deadline on this process's monotonic clock; its error names the worker that it waited for.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from functools import partial

from service.app import App
from service.control.leases import LANE_LEASES, renewed_seconds_ago
from service.control.repairs import RepairWatch
from service.control.state import MigrationState, change_state, load_started_state
from service.control.workers import BOTH, FORWARD, LaneName, Workers, beat_seconds
from service.core.phases.acting import Acting, Phase, Rule
from service.dynamodb.protocol import Fence
from service.errors import Fatal

STEP_CATCH_UP_SECONDS = 15.0

Waiting = Callable[[], Awaitable[str | None]]
"""Gives what a step still waits for, for people; None: nothing."""

Strip = Callable[[App, Fence], Awaitable[None]]


class Steps:
    """The steps of one move to ``to``. ``fence``: of the lease "move". ``strip``: leaves v2 to its application. ``waits``: is told
    what a step still waits for, for people, each time that it has looked."""

    def __init__(self, app: App, to: Phase, fence: Fence, strip: Strip, waits: Callable[[str], None]) -> None:
        self._app = app
        self._to = to
        self._fence = fence
        self._waits = waits
        self._workers = Workers(app.control, app.clock)
        self._steps: dict[str, Callable[[], Awaitable[None]]] = {
            "settle": self._settle,
            "switch": partial(self._change_rule, "entering"),
            "horizon": self._pass_horizon,
            "drain": partial(self._catch_up, FORWARD),
            "observe": partial(self._catch_up, ("reverse",)),
            "arm": partial(self._change_rule, "ledger"),
            "fence": self._pass_horizon,
            "enter": self._enter,
            "announce": partial(self._catch_up, BOTH),
            "acknowledge": self._enter,
            "idle": self._pass_horizon,
            "strip": partial(strip, app, fence),
        }

    async def do(self, step: str) -> None:
        """Do a step. Raises Fatal when it takes longer than ``move_deadline_seconds``, Fenced when the lease is lost."""
        await self._steps[step]()
        self._fence()

    async def _settle(self) -> None:
        """Wait for the repairs that have begun, and until the sync has read what they wrote. No repair by the guarded rule begins
        while a move is under way."""
        repairs = RepairWatch(self._app.control, self._app.clock, self._app.settings.writer_horizon_seconds)

        async def unfinished() -> str | None:
            age = await repairs.oldest_age()
            return None if age is None else "a repair, or a retry of the quarantine, is under way"

        await self._until(unfinished)
        await self._catch_up(BOTH)

    async def _change_rule(self, rule: Rule) -> None:
        await self._change(lambda was: replace(was, rule=rule, epoch=max(was.epoch, 1)))
        await self._until(self._unacknowledged)

    async def _pass_horizon(self) -> None:
        """Wait the whole horizon, even if another process has begun to: the clocks of two processes are not compared."""
        await self._app.clock.sleep(self._app.settings.writer_horizon_seconds)

    async def _enter(self) -> None:
        now = self._app.clock.now()
        await self._change(lambda was: was if was.phase == self._to else replace(was, phase=self._to, phase_since=now))
        await self._until(self._unacknowledged)

    async def _catch_up(self, lanes: tuple[LaneName, ...]) -> None:
        async def behind() -> str | None:
            acting = (await self._state()).acting
            if await self._workers.caught_up(STEP_CATCH_UP_SECONDS, lanes, acting):
                return None
            return await self._unacknowledged() or f"{' and '.join(lanes)} sync has not caught up"

        await self._until(behind)

    async def _unacknowledged(self) -> str | None:
        """Which workers have not acknowledged the phase and rule; None: all have. A silent worker does not block the move, but each
        direction needs an owner that works."""
        acting = (await self._state()).acting
        missing = [await self._missing(lane, acting) for lane in BOTH]
        return "; ".join(text for text in missing if text) or None

    async def _missing(self, lane: LaneName, acting: Acting) -> str | None:
        watched = (await self._workers.watch()).items()
        lanes = {worker: (seen.beat.lane(lane), seen.unchanged_seconds) for worker, seen in watched if seen.alive}
        if not any(beat.role == "owner" for beat, _ in lanes.values()):
            failures = [f": worker {worker} says {beat.failure}" for worker, (beat, _) in lanes.items() if beat.failure]
            return f"no worker does {lane} sync{''.join(failures)}"
        late = [(worker, age) for worker, (beat, age) in lanes.items() if beat.reads and beat.acting != acting]
        return await self._late_text(lane, acting, late) if late else None

    async def _late_text(self, lane: LaneName, acting: Acting, late: Sequence[tuple[str, float]]) -> str:
        """``late``: each worker, and the age of its last beat in seconds."""
        now = self._app.clock.now()
        renewed = await renewed_seconds_ago(self._app.control, LANE_LEASES[lane], now)
        lease = "nobody holds its lease" if renewed is None else f"its lease was renewed {renewed:.0f} s ago"
        return "; ".join(
            f"worker {worker} has not acknowledged {acting.phase}/{acting.rule} in {lane} sync "
            f"(last report {max(age, 0.0):.0f} s ago, {lease})"
            for worker, age in late
        )

    async def _until(self, waiting: Waiting) -> None:
        seconds = self._app.settings.move_deadline_seconds
        deadline = self._app.clock.monotonic() + seconds
        while (missing := await waiting()) is not None:
            if self._app.clock.monotonic() >= deadline:
                raise Fatal(f"waited {seconds:g} s: {missing}")
            self._waits(missing)
            await self._app.clock.sleep(beat_seconds(self._app.settings.heartbeat_seconds))

    async def _change(self, change: Callable[[MigrationState], MigrationState]) -> None:
        self._fence()
        await change_state(self._app.control, self._app.mapping, self._app.clock.now(), change)

    async def _state(self) -> MigrationState:
        return await load_started_state(self._app.control, self._app.mapping)
