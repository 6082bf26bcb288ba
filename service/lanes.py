"""The lanes of one process, side by side."""

from dataclasses import dataclass

from service.lane import Lane
from service.workers import Beat


@dataclass(frozen=True, slots=True)
class Lanes:
    """Old to v2, and v2 to old."""

    forward: Lane
    reverse: Lane

    def beat(self, number: int, now: float) -> Beat:
        """What this process says of itself now, in epoch seconds."""
        return Beat(number, now, self.forward.beat(), self.reverse.beat())

    def unready(self) -> str | None:
        """Why a lane has stopped, with the remedy; None while both work or stand by."""
        for lane in (self.forward, self.reverse):
            if lane.failure is not None:
                return f"{lane.failure.message} ({lane.failure.remedy})"
        return None
