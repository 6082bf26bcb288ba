"""What the writers of a rehearsal attempted, and what was acknowledged to them: their own log, which both sides are held to."""

from collections.abc import MutableSequence
from dataclasses import dataclass, field
from typing import Literal

from service.core.item.wire import Item
from service.core.phases.acting import Side

Kind = Literal["create", "update", "move", "delete"]


@dataclass(frozen=True, slots=True)
class Attempt:
    """One write."""

    writer: str
    side: Side
    kind: Kind
    key: str
    """The old key, as ``application.key_text`` writes it."""

    values: Item | None
    """The attributes that it set, each to a value that no other write sets; None for a delete."""

    before: Item | None
    """The item as the writer had read it right before; None for a create."""

    begun: float
    """Seconds on the writers' clock."""

    ended: float
    """Seconds on the writers' clock."""

    acknowledged: bool
    """False: the side answered that the item is missing, or exists already. That can also be the answer to the retry of a write
    that was done."""


@dataclass(slots=True)
class WriteLog:
    """Every attempt, in the order in which they ended. With a bounded deque for ``attempts``, only the latest ones."""

    attempts: MutableSequence[Attempt] = field(default_factory=list)
    in_flight: int = 0
    """Writes under way now."""

    longest_pause: float = 0.0
    """Seconds: the longest time that a writer was kept from sending a write that was due."""

    def counts(self) -> dict[str, int]:
        """Acknowledged writes by kind."""
        kinds = [attempt.kind for attempt in self.acknowledged]
        return {kind: kinds.count(kind) for kind in sorted(set(kinds))}

    @property
    def acknowledged(self) -> list[Attempt]:
        """The writes that must not be lost."""
        return [attempt for attempt in self.attempts if attempt.acknowledged]

    @property
    def slowest_seconds(self) -> float:
        """The longest time from sending a write to its answer, retries included."""
        return max((attempt.ended - attempt.begun for attempt in self.attempts), default=0.0)
