"""What a rehearsal has shown: the time of each move, what the application noticed, and the ledger of its writes."""

from dataclasses import dataclass
from typing import Any

from service.rehearsal.judgement import Tally
from service.rehearsal.moves import TimedMove


@dataclass(frozen=True, slots=True)
class RehearsalReport:
    """moves: in their order. writes: acknowledged ones by kind. in_flight: writes that were under way when a move began or
    ended, at most. slowest: the longest answer to a write; pause: the longest that a writer was kept from writing because of a
    phase. compared: whether the full comparison at the end found both sides equal. Times in seconds."""

    moves: tuple[TimedMove, ...]
    writes: dict[str, int]
    ledger: Tally
    in_flight: int
    slowest: float
    pause: float
    compared: bool

    @property
    def ok(self) -> bool:
        """Nothing lost, both sides equal, and no writer waited for a phase."""
        return self.ledger.ok and self.compared and self.pause == 0

    @property
    def cutover_seconds(self) -> float:
        """From the first cutover asked for to `reverse`, the application's own moving over not counted."""
        return sum(move.seconds for move in self.moves[:2])

    @property
    def rollback_seconds(self) -> float:
        """From `reverse` back to `forward`, likewise."""
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
            "ledger": self.ledger.to_json(),
            "compared": "equal" if self.compared else "different",
        }

    def to_text(self) -> str:
        """A line a move, what the application noticed, and the ledger."""
        kinds = ", ".join(f"{kind} {count}" for kind, count in self.writes.items())
        noticed = f"slowest write {self.slowest:.2f} s, up to {self.in_flight} in flight when a move began or ended"
        return "\n".join(
            [
                *(move.to_text() for move in self.moves),
                f"time to cut over {self.cutover_seconds:.1f} s, to roll back {self.rollback_seconds:.1f} s",
                f"longest pause of the application: {self.pause:g} s ({noticed})",
                f"writes: {kinds}",
                self.ledger.to_text(),
            ]
        )
