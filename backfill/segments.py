"""The plan of a backfill run and the progress of each of its segments: pure values, no I/O."""

from collections.abc import Iterable, Mapping
from dataclasses import field, replace
from typing import Any

from pydantic import ConfigDict
from pydantic.dataclasses import dataclass

Key = dict[str, dict[str, Any]]
"""Key attributes of an old item in wire form."""

RECORD = ConfigDict(extra="forbid", strict=True, defer_build=True)


@dataclass(frozen=True, slots=True, config=RECORD)
class Outcomes:
    """How many old items ended in which way."""

    copied: int = 0
    """Inserted into v2."""
    present: int = 0
    """Not inserted: the v2 key was taken, by a change, a tombstone or an earlier copy."""
    quarantined: int = 0
    """Cannot be mapped or written."""
    left_out: int = 0
    """Stay behind, as the mapping says."""

    @property
    def items(self) -> int:
        """All items together."""
        return self.copied + self.present + self.quarantined + self.left_out

    def to_text(self) -> str:
        """The counts in one line."""
        text = f"copied {self.copied}, present {self.present}, quarantined {self.quarantined}"
        return f"{text}, left out {self.left_out}" if self.left_out else text

    def __add__(self, other: "Outcomes") -> "Outcomes":
        return Outcomes(
            self.copied + other.copied,
            self.present + other.present,
            self.quarantined + other.quarantined,
            self.left_out + other.left_out,
        )


@dataclass(frozen=True, slots=True, config=RECORD)
class Spent:
    """Capacity units that were used."""

    write_units: float = 0.0
    """Computed from the size of the items that were sent, indexes included."""
    read_units: float = 0.0
    """As DynamoDB reports them."""

    def __add__(self, other: "Spent") -> "Spent":
        return Spent(self.write_units + other.write_units, self.read_units + other.read_units)


NOTHING_SPENT = Spent()


@dataclass(frozen=True, slots=True, config=RECORD)
class BackfillRun:
    """The plan of one copy of the whole old table. Times are epoch seconds."""

    id: str
    mapping_hash: str
    generation: int
    """The stream generation that the copies are stamped with."""
    segments: int
    """Scan segments; fixed for the run, because a segment's ``last_key`` has no meaning with another number of segments."""
    started_at: float
    estimate: int | None = None
    """Items in the old table by DynamoDB's own count, up to six hours old; None: not known."""
    finished_at: float | None = None
    slices: int = 1
    """Parts that workers take, with equally many segments each."""
    array: str = ""
    """The id of the array job that began the run; empty: none did."""

    def slice(self, number: int) -> range:
        """The segments of slice ``number``."""
        each = self.segments // self.slices
        return range(number * each, (number + 1) * each)


@dataclass(frozen=True, slots=True, config=RECORD)
class Segment:
    """How far one segment of run ``run`` is copied: everything up to ``last_key`` is acknowledged, and used ``spent``.

    A record of an earlier version has no ``spent``: its cost is not known, and counts as nothing.
    """

    run: str
    last_key: Key | None = None
    outcomes: Outcomes = field(default_factory=Outcomes)
    done: bool = False
    spent: Spent = NOTHING_SPENT

    def after(self, outcomes: Outcomes, last_key: Key | None, spent: Spent = NOTHING_SPENT) -> "Segment":
        """The segment after all writes of the pages up to ``last_key`` (None: the segment's end) are acknowledged."""
        outcomes, spent = self.outcomes + outcomes, self.spent + spent
        return replace(self, last_key=last_key, outcomes=outcomes, done=last_key is None, spent=spent)


def segments_of_run(run: BackfillRun, records: Iterable[tuple[int, Segment]]) -> dict[int, Segment]:
    """Every segment of ``run``, by number: as recorded, or at its start. Records of other runs are ignored."""
    known = {number: segment for number, segment in records if segment.run == run.id}
    return {number: known.get(number, Segment(run.id)) for number in range(run.segments)}


def unfinished(segments: Mapping[int, Segment]) -> list[int]:
    """The numbers of the segments that are not copied to their end."""
    return [number for number, segment in segments.items() if not segment.done]


def total(segments: Mapping[int, Segment]) -> Outcomes:
    """The outcomes of all segments together."""
    return sum((segment.outcomes for segment in segments.values()), Outcomes())


def spent_in(segments: Mapping[int, Segment]) -> Spent:
    """The capacity units that all segments together have used."""
    spent = [segment.spent for segment in segments.values()]
    return Spent(sum((each.write_units for each in spent), 0.0), sum((each.read_units for each in spent), 0.0))
