"""What a soak is asked to do, and what it has done: the numbers of kills, pauses, faults and cycles."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal

Kind = Literal["kill", "pause", "fault"]
KINDS: tuple[Kind, ...] = ("kill", "pause", "fault")

MOVES_A_CYCLE = 4
"""forward, dual, reverse, dual, forward."""


@dataclass(frozen=True, slots=True)
class Plan:
    """How often each is to happen."""

    kills: int
    pauses: int
    faults: int
    cycles: int
    seed: int
    lease: float
    """Seconds of a worker's lease."""
    minutes: float
    """After this time the soak makes no further trouble, and judges what it has."""

    def asked(self, kind: Kind) -> int:
        """The number asked for of one kind."""
        return {"kill": self.kills, "pause": self.pauses, "fault": self.faults}[kind]

    def stretches(self) -> Iterator[Counter[Kind]]:
        """How many of each kind there are to be by the end of each stretch: one before each move, and one after the last."""
        count = MOVES_A_CYCLE * self.cycles + 1
        for number in range(1, count + 1):
            yield Counter({kind: self.asked(kind) * number // count for kind in KINDS})


@dataclass(slots=True)
class Done:
    """What has happened so far."""

    kills: Counter[str] = field(default_factory=Counter)
    """By failpoint; at random moments under ``ANY_MOMENT``."""
    pauses: Counter[str] = field(default_factory=Counter)
    """As ``kills``."""
    faults: Counter[tuple[str, str]] = field(default_factory=Counter)
    """By fault and operation."""
    moves: int = 0
    stopped: int = 0
    """Orderly stops of a worker."""
    ended: list[str] = field(default_factory=list)
    """How processes ended that nobody had killed or stopped."""

    def of(self, kind: Kind) -> int:
        """How many of one kind."""
        return {"kill": self.kills.total(), "pause": self.pauses.total(), "fault": self.faults.total()}[kind]

    @property
    def cycles(self) -> int:
        """There and back."""
        return self.moves // MOVES_A_CYCLE

    def to_text(self, plan: Plan) -> str:
        """One line."""
        numbers = [f"{self.of(kind)} of {plan.asked(kind)} {kind}s" for kind in KINDS]
        return ", ".join([*numbers, f"{self.moves} of {MOVES_A_CYCLE * plan.cycles} moves"])


ANY_MOMENT = "at a random moment"
