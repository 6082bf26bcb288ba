"""Activity: when the application last wrote each side, and how often it wrote the side that should be quiet.

It is counted in memory, and written at most once a second and once a page. A side's activity is in up to PARTS records: a writer
whose record another one has changed goes on with the next record, so that no writer waits for another. Who reads it puts the parts
together.
"""

import asyncio
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import field, replace

from pydantic import ConfigDict
from pydantic.dataclasses import dataclass

from service.clock import Clock
from service.control.table import CHANGE_ATTEMPTS, ControlTable, Records, Stored, contended
from service.core.item.change import Change
from service.core.item.wire import plain_key
from service.core.phases.acting import Side
from service.failpoints import failpoint
from service.log import get_logger

QUIET_SIDE_WRITTEN = "the application has written the side that should be quiet"

PARTS = 32
"""More than there are sinks that see the application write one side: one for each table and worker."""

AHEAD_SECONDS = 1.0
"""Times are written so much ahead: the changes of the next second need no write of their own. So a side seems to be quiet that much
later than it is, and never earlier."""


@dataclass(frozen=True, slots=True, config=ConfigDict(extra="forbid", defer_build=True))
class Activity:
    """The application's changes on one side. Times are epoch seconds of the lane's clock."""

    last_change_at: float | None = None
    """No change by the application was seen after this; None: none ever."""
    intruders: dict[str, int] = field(default_factory=dict)
    """Rogue writes, by entity, since the phase of the last of them began: writes while the side should have been quiet."""
    last_intruder_at: float | None = None
    """No rogue write was seen after this; None: none ever."""

    def rogue_writes_since(self, phase_since: float) -> dict[str, int]:
        """The rogue writes of the phase that began at ``phase_since``, by entity."""
        return self.intruders if (self.last_intruder_at or 0.0) >= phase_since else {}

    def noting(self, seen: "Seen") -> "Activity":
        """The activity with what was seen since. A time earlier than the recorded one changes nothing."""
        after = replace(self, last_change_at=max(seen.until, self.last_change_at or seen.until))
        if not seen.rogue_writes:
            return after
        counts = Counter(self.rogue_writes_since(seen.phase_since)) + Counter(seen.rogue_writes)
        last = max(seen.until, self.last_intruder_at or seen.until)
        return replace(after, intruders=dict(counts), last_intruder_at=last)


@dataclass(frozen=True, slots=True)
class Seen:
    """What a lane has seen of the application's changes on one side. Times are epoch seconds."""

    until: float
    """It has seen none later than this, and writes again before it goes on with one that is."""
    rogue_writes: Mapping[str, int] = field(default_factory=dict)
    """How many of them were rogue writes, by entity."""
    phase_since: float = 0.0
    """When the phase began."""


class Activities:
    """Both sides' activity in the control table."""

    def __init__(self, control: ControlTable) -> None:
        self._records = control.records("activity", Activity)

    async def load(self, phase_since: float = 0.0) -> dict[Side, Activity]:
        """The activity by side; a side without a record has had no activity. ``phase_since``: when the present phase began."""
        records = await self._records.all()
        sides: tuple[Side, ...] = ("old", "v2")
        return {
            side: _together([records[name].value for name in _names(side) if name in records], phase_since)
            for side in sides
        }

    def part(self, side: Side) -> "ActivityPart":
        """A writer's part of the activity of ``side``."""
        return ActivityPart(self._records, side)


def _names(side: Side) -> list[str]:
    """The names of a side's records. The first one is what versions up to 0.1 wrote and read."""
    return [side, *(f"{side}/{number}" for number in range(1, PARTS))]


def _together(parts: Iterable[Activity], phase_since: float) -> Activity:
    """One activity of all parts: the rogue writes are those of the present phase or, if it had none, of the part that saw the
    last one."""
    parts = sorted(parts, key=lambda part: part.last_intruder_at or 0.0)
    changed = [part.last_change_at for part in parts if part.last_change_at is not None]
    counts = sum((Counter(part.rogue_writes_since(phase_since)) for part in parts), Counter[str]())
    if not parts:
        return Activity()
    last = parts[-1]
    return Activity(max(changed, default=None), dict(counts or last.intruders), last.last_intruder_at)


class ActivityPart:
    """One writer's part of a side's activity. It writes one at a time."""

    def __init__(self, records: Records[Activity], side: Side) -> None:
        self._records = records
        self._side = side
        self._names = _names(side)
        self._current = 0
        self._stored: Stored[Activity] | None = None
        self._known = False
        """Whether ``_stored`` is the record as it was last read or written; else it is still to be read."""

    async def add(self, seen: Seen) -> None:
        """Record what was seen. Raises Retryable when each record is being changed by others."""
        for _ in range(CHANGE_ATTEMPTS):
            name = self._names[self._current]
            if not self._known:
                self._stored = await self._records.get(name)
            was, self._known = self._stored, False
            after = (was.value if was else Activity()).noting(seen)
            self._stored = await self._records.put(name, after, was)
            if self._stored is not None:
                self._known = True
                return
            self._current = (self._current + 1) % len(self._names)
        raise contended(f"activity of {self._side}")


class ActivityRecorder:
    """Counts what one sink sees of the application's changes on one side, and records it."""

    def __init__(self, activities: Activities, side: Side, clock: Clock, *, quiet: bool, since: float = 0.0) -> None:
        """``quiet``: the application should not write this side now. ``since``: when the phase began, in epoch seconds."""
        self._part = activities.part(side)
        self._side: Side = side
        self._clock = clock
        self._quiet = quiet
        self._since = since
        self._changed_at = float("-inf")
        self._recorded_until = float("-inf")
        self._rogue_writes: Counter[str] = Counter()
        self._counted: set[tuple[str, str]] = set()
        """The rogue writes of the pages that are being applied: a change that is decided anew is counted once."""
        self._writing = asyncio.Lock()

    def note(self, entity: str, change: Change) -> None:
        """Count a change by the application of an item of ``entity``. On the quiet side the change is logged."""
        self._changed_at = self._clock.now()
        if not self._quiet or (change.table, change.sequence) in self._counted:
            return
        self._counted.add((change.table, change.sequence))
        self._rogue_writes[entity] += 1
        get_logger().warning(QUIET_SIDE_WRITTEN, side=self._side, entity=entity, table=change.table)
        key = plain_key(change.key)
        get_logger().debug("the key that was written there", side=self._side, table=change.table, key=key)

    async def application_changed(self, entity: str, change: Change) -> None:
        """Count a change by the application, and return when its time is recorded: before its effects, after which a worker that
        reads it again can no longer tell its author. Its count is recorded with the next write: a kill loses those of a second."""
        self.note(entity, change)
        await self._record(lambda: self._changed_at <= self._recorded_until)

    async def flush(self) -> None:
        """Return when all changes of a page are recorded: its position may be saved now. A replayed change is counted again."""
        await self._record(lambda: not self._rogue_writes and self._changed_at <= self._recorded_until)
        self._counted.clear()

    async def _record(self, done: Callable[[], bool]) -> None:
        if done():
            return
        async with self._writing:
            if done():  # by who held the lock before
                return
            counts, until = self._rogue_writes.copy(), self._changed_at + AHEAD_SECONDS
            await self._part.add(Seen(until, counts, self._since))
            self._rogue_writes -= counts  # only now: what could not be written is written with what is counted next
            self._recorded_until = until
            failpoint("activity_noted")
