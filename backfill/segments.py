"""The plan of a backfill and where each of its segments stands: pure values, no I/O."""

from collections.abc import Iterable, Mapping
from dataclasses import field, replace
from typing import Any

from pydantic import ConfigDict
from pydantic.dataclasses import dataclass

Key = dict[str, dict[str, Any]]
"""Key attributes of an old item in wire form."""

RECORD = ConfigDict(extra="forbid", strict=True)


@dataclass(frozen=True, slots=True, config=RECORD)
class Outcomes:
    """How items ended. copied: inserted. present: the v2 key was taken, by a change, a tombstone or an
    earlier copy. quarantined: cannot be mapped or written."""

    copied: int = 0
    present: int = 0
    quarantined: int = 0

    @property
    def items(self) -> int:
        """All of them."""
        return self.copied + self.present + self.quarantined

    def to_text(self) -> str:
        """How many ended how."""
        return f"copied {self.copied}, present {self.present}, quarantined {self.quarantined}"

    def __add__(self, other: "Outcomes") -> "Outcomes":
        return Outcomes(self.copied + other.copied, self.present + other.present, self.quarantined + other.quarantined)


@dataclass(frozen=True, slots=True, config=RECORD)
class Spent:
    """Capacity units: of writes by the size of what was sent, indexes included; of reads as DynamoDB says."""

    write_units: float = 0.0
    read_units: float = 0.0

    def __add__(self, other: "Spent") -> "Spent":
        return Spent(self.write_units + other.write_units, self.read_units + other.read_units)


NOTHING_SPENT = Spent()


@dataclass(frozen=True, slots=True, config=RECORD)
class BackfillRun:
    """The plan of one walk over the old table. Times are epoch seconds.

    segments: Scan segments; fixed for the run, because a segment's ``last_key`` means nothing in another plan. slices: parts
    that workers take, of equally many segments. array: id of the array job that began it; empty: none did.
    generation: what the copies are stamped with. estimate: items in the old table by DynamoDB's own count,
    up to six hours old; None: not known.
    """

    id: str
    mapping_hash: str
    generation: int
    segments: int
    started_at: float
    estimate: int | None = None
    finished_at: float | None = None
    slices: int = 1
    array: str = ""

    def slice(self, number: int) -> range:
        """The segments of slice ``number``."""
        each = self.segments // self.slices
        return range(number * each, (number + 1) * each)


@dataclass(frozen=True, slots=True, config=RECORD)
class Segment:
    """How far one segment of run ``run`` is copied: everything up to ``last_key`` is acknowledged, and took ``spent``.

    A record of an earlier version has no ``spent``: what it cost is not known, and counts as nothing.
    """

    run: str
    last_key: Key | None = None
    outcomes: Outcomes = field(default_factory=Outcomes)
    done: bool = False
    spent: Spent = NOTHING_SPENT

    def after(self, outcomes: Outcomes, last_key: Key | None, spent: Spent = NOTHING_SPENT) -> "Segment":
        """The segment once all writes of the pages up to ``last_key`` (None: its end) are acknowledged."""
        outcomes, spent = self.outcomes + outcomes, self.spent + spent
        return replace(self, last_key=last_key, outcomes=outcomes, done=last_key is None, spent=spent)


def standing(run: BackfillRun, records: Iterable[tuple[int, Segment]]) -> dict[int, Segment]:
    """Where every segment of ``run`` stands, by number: as recorded, or at its start. Records of other runs
    say nothing."""
    known = {number: segment for number, segment in records if segment.run == run.id}
    return {number: known.get(number, Segment(run.id)) for number in range(run.segments)}


def unfinished(segments: Mapping[int, Segment]) -> list[int]:
    """The segments that are still to be walked."""
    return [number for number, segment in segments.items() if not segment.done]


def total(segments: Mapping[int, Segment]) -> Outcomes:
    """The outcomes of all segments together."""
    return sum((segment.outcomes for segment in segments.values()), Outcomes())


def spent_in(segments: Mapping[int, Segment]) -> Spent:
    """What all segments together have taken."""
    spent = [segment.spent for segment in segments.values()]
    return Spent(sum((one.write_units for one in spent), 0.0), sum((one.read_units for one in spent), 0.0))
