"""The report of a rehearsal: the time of each move, what the application noticed, and the tally of its writes."""

from dataclasses import dataclass
from typing import Any

from service.rehearsal.counted import Counted
from service.rehearsal.moves import TimedMove
from service.rehearsal.tally import Tally


@dataclass(frozen=True, slots=True)
class RehearsalReport:
    """What a rehearsal has measured."""

    moves: tuple[TimedMove, ...]
    """In their order."""

    writes: dict[str, int]
    """Acknowledged writes by kind."""

    tally: Tally
    in_flight: int
    """The most writes that were under way when a move began or ended."""

    slowest: float
    """Seconds: the longest time from sending a write to its answer."""

    pause: float
    """Seconds: the longest time that a phase kept a writer from writing."""

    compared: bool
    """Whether the full validation at the end found both sides equal."""

    counted: Counted | None = None
    """What became of the increments and compare-and-sets; None when nothing counted."""

    @property
    def ok(self) -> bool:
        """No write is lost, both sides are equal, no writer waited for a phase, and what was counted is there."""
        kept = self.counted is None or self.counted.ok
        return self.tally.ok and self.compared and self.pause == 0 and kept

    @property
    def cutover_seconds(self) -> float:
        """From the first cutover command to `reverse`, without the time in which the application switches sides."""
        return sum(move.seconds for move in self.moves[:2])

    @property
    def rollback_seconds(self) -> float:
        """From `reverse` back to `forward`, likewise without the application's own time."""
        return sum(move.seconds for move in self.moves if move.command == "rollback")

    def to_json(self) -> dict[str, Any]:
        """The document in `demo --json` and `drill --json`."""
        return {
            "moves": [move.to_json() for move in self.moves],
            "cutover_seconds": round(self.cutover_seconds, 1),
            "rollback_seconds": round(self.rollback_seconds, 1),
            "pause_seconds": round(self.pause, 3),
            "slowest_write_seconds": round(self.slowest, 3),
            "writes_in_flight": self.in_flight,
            "writes": self.writes,
            "ledger": self.tally.to_json(),
            "counted": self.counted.to_json() if self.counted is not None else None,
            "compared": "equal" if self.compared else "different",
        }

    def to_text(self) -> str:
        """A line for each move, what the application noticed, and the tally."""
        kinds = ", ".join(f"{kind} {count}" for kind, count in self.writes.items())
        noticed = f"slowest write {self.slowest:.2f} s, up to {self.in_flight} in flight when a move began or ended"
        return "\n".join(
            [
                *(move.to_text() for move in self.moves),
                f"time to cut over {self.cutover_seconds:.1f} s, to roll back {self.rollback_seconds:.1f} s",
                f"longest pause of the application: {self.pause:g} s ({noticed})",
                f"writes: {kinds}",
                self.tally.to_text(),
                *([self.counted.to_text()] if self.counted is not None else []),
            ]
        )
