"""What the writers of a rehearsal attempted and what was acknowledged to them: their own log, to judge both sides by."""

from collections.abc import MutableSequence
from dataclasses import dataclass, field
from typing import Literal

from service.core.item.wire import Item
from service.core.phases.acting import Side

Kind = Literal["create", "update", "move", "delete"]


@dataclass(frozen=True, slots=True)
class Attempt:
    """One write. values: attributes that it set to what no other write has; None: it was a delete.

    before: what the writer had read of the item right before. begun, ended: seconds on the writers' clock. acknowledged: False:
    the side answered that the item is not there, or is there already; that can be the answer to a retry of a write that was done.
    """

    writer: str
    side: Side
    kind: Kind
    key: str
    values: Item | None
    before: Item | None
    begun: float
    ended: float
    acknowledged: bool


@dataclass(slots=True)
class WriteLog:
    """Every attempt, in the order in which they ended; the latest ones only where ``attempts`` is a bounded deque.

    in_flight: how many are under way now. longest_pause: the longest, in seconds, that a writer that wanted to write was kept from
    sending its write.
    """

    attempts: MutableSequence[Attempt] = field(default_factory=list)
    in_flight: int = 0
    longest_pause: float = 0.0

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
        """The longest that a writer waited for the answer to a write, retries included."""
        return max((attempt.ended - attempt.begun for attempt in self.attempts), default=0.0)
