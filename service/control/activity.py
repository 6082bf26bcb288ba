"""Activity: when the application last wrote each side, and how often it wrote the side that should be quiet."""

from dataclasses import field, replace

from pydantic import ConfigDict
from pydantic.dataclasses import dataclass

from service.clock import Clock
from service.control.table import CHANGE_ATTEMPTS, ControlTable, contended
from service.core.item.wire import Item, plain_key
from service.core.phases.acting import Side
from service.failpoints import failpoint
from service.log import get_logger

QUIET_SIDE_WRITTEN = "the application has written the side that should be quiet"


@dataclass(frozen=True, slots=True, config=ConfigDict(extra="forbid"))
class Activity:
    """The application's changes on one side. Times are epoch seconds of the lane's clock."""

    last_change_at: float | None = None
    """When a lane last saw a change by the application; None: never."""
    intruders: dict[str, int] = field(default_factory=dict)
    """Rogue writes, by entity, since the phase of the last of them began: writes while the side should have been quiet."""
    last_intruder_at: float | None = None
    """When a lane last saw a rogue write; None: never."""

    def rogue_writes_since(self, phase_since: float) -> dict[str, int]:
        """The rogue writes of the phase that began at ``phase_since``, by entity."""
        return self.intruders if (self.last_intruder_at or 0.0) >= phase_since else {}


class Activities:
    """Both sides' activity in the control table."""

    def __init__(self, control: ControlTable) -> None:
        self._records = control.records("activity", Activity)

    async def load(self) -> dict[Side, Activity]:
        """The activity by side; a side without a record has had no activity."""
        records = await self._records.all()
        sides: tuple[Side, ...] = ("old", "v2")
        return {side: records[side].value if side in records else Activity() for side in sides}

    async def note_change(self, side: Side, at: float) -> None:
        """Record that the application changed ``side`` at ``at``. A time earlier than the recorded one changes nothing."""

        def later(was: Activity | None) -> Activity:
            known = was or Activity()
            return replace(known, last_change_at=max(at, known.last_change_at or at))

        await self._records.change(side, later)

    async def note_rogue_write(self, side: Side, entity: str, at: float, since: float = 0.0) -> None:
        """Record that the application wrote an ``entity`` on ``side``, which should be quiet, in the phase that began at
        ``since``.

        A replayed change is counted again. Raises Retryable while other writers keep changing the record.
        """
        for _ in range(CHANGE_ATTEMPTS):
            was = await self._records.get(side)
            known = was.value if was else Activity()
            before = known.rogue_writes_since(since)
            counts = {**before, entity: before.get(entity, 0) + 1}
            if await self._records.put(side, replace(known, intruders=counts, last_intruder_at=at), was) is not None:
                return
        raise contended(f"activity of {side}")


class ActivityRecorder:
    """Records what one lane sees of the application's changes on one side."""

    def __init__(self, activities: Activities, side: Side, clock: Clock, *, quiet: bool, since: float = 0.0) -> None:
        """``quiet``: the application should not write this side now. ``since``: when the phase began, in epoch seconds."""
        self._activities = activities
        self._side: Side = side
        self._clock = clock
        self._quiet = quiet
        self._since = since
        self._changed_at: float | None = None

    async def application_changed(self, entity: str, table: str, key: Item) -> None:
        """The application has changed an item of ``entity``. On the quiet side the change is logged, and is recorded when this
        returns."""
        self._changed_at = self._clock.now()
        if self._quiet:
            get_logger().warning(QUIET_SIDE_WRITTEN, side=self._side, entity=entity, table=table)
            get_logger().debug("the key that was written there", side=self._side, table=table, key=plain_key(key))
            await self._activities.note_rogue_write(self._side, entity, self._changed_at, self._since)

    async def flush(self) -> None:
        """Record the time of the last change seen, if there is a new one."""
        changed_at, self._changed_at = self._changed_at, None
        if changed_at is not None:
            await self._activities.note_change(self._side, changed_at)
            failpoint("activity_noted")
