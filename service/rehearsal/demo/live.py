"""What one sees while the demonstration runs: both sides, their writes and lags, the phase, and the sync process."""

from collections.abc import Mapping
from dataclasses import dataclass

from service.control.workers import BEAT_SECONDS, LaneName, Watched
from service.core.phases.acting import Side

LATE_SECONDS = 3 * BEAT_SECONDS
"""A beat that has not moved for longer is not just on its way: for so long nobody has said that anything was applied."""

LONGEST_BAR = 24
MARKS_A_SECOND = 2
CARRIED: dict[Side, tuple[LaneName, str]] = {"old": ("forward", "to v2"), "v2": ("reverse", "to old")}
"""The lane that carries a side's writes, and where to."""


@dataclass(frozen=True, slots=True)
class SideLive:
    """One side at a moment."""

    writes: int
    """Acknowledged to the writers so far."""
    per_second: float
    lag: float | None
    """Seconds: the age of the oldest change that is not carried to the other side; None: no worker has ever read."""

    def lag_text(self) -> str:
        """With its unit."""
        return "not read yet" if self.lag is None else f"{self.lag:.1f} s"


@dataclass(frozen=True, slots=True)
class Live:
    """The demonstration at a moment."""

    seconds: float
    """Since it began."""
    phase: str
    sides: Mapping[Side, SideLive]
    copied: int
    """Items that the backfill is done with."""
    sync: str
    """What the sync process is doing, for people."""

    def to_text(self) -> str:
        """A table with a line for each side, and a line for each other subject."""
        return "\n".join(
            [
                f"tablesplit demo, {self.seconds:.0f} s",
                "",
                f"{'phase':12} {self.phase}",
                f"{'sync':12} {self.sync}",
                f"{'backfill':12} {self.copied} items",
                f"{'old table':12} {_side_text(self.sides['old'], 'old')}",
                f"{'v2 tables':12} {_side_text(self.sides['v2'], 'v2')}",
            ]
        )

    def to_line(self) -> str:
        """The same in one line, where nothing is redrawn."""
        sides = (
            f"{name} {side.writes} writes ({side.per_second:.1f}/s), lag {CARRIED[name][1]} {side.lag_text()}"
            for name, side in self.sides.items()
        )
        return f"{self.seconds:4.0f} s  phase {self.phase}; {'; '.join(sides)}; sync {self.sync}"


def _side_text(side: SideLive, name: Side) -> str:
    bar = "#" * min(LONGEST_BAR, round((side.lag or 0.0) * MARKS_A_SECOND))
    return f"{side.writes:4} writes {side.per_second:5.1f}/s   lag {CARRIED[name][1]:6} {side.lag_text():>6} {bar}".rstrip()


def lag_of(watched: Mapping[str, Watched], lane: LaneName) -> float | None:
    """The lag as its owner last reported it. Once the owner is silent, the lag has grown by as long as it is."""
    owners = [seen for seen in watched.values() if seen.beat.lane(lane).role == "owner"]
    if not owners:
        return None
    latest = min(owners, key=lambda seen: seen.unchanged_seconds)
    silent = latest.unchanged_seconds if latest.unchanged_seconds > LATE_SECONDS else 0.0
    return latest.beat.lane(lane).lag_seconds + silent
