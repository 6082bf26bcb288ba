"""What the operator may ask of a validation."""

import shlex
from dataclasses import dataclass, field
from hashlib import blake2b
from pathlib import Path
from typing import Literal

from service.control.workers import worker_id


@dataclass(frozen=True, slots=True)
class ValidationOptions:
    """sample: compare about this many items of each entity instead of all. entity: compare only this one.

    repair: write right what differs. output: file that gets every difference as a JSON line.
    resume: ``auto`` goes on with an unfinished run of the same question, ``require`` refuses when there is
    none, ``never`` starts anew.
    max_read_units: read capacity units per second at most, over all tables together. segments: Scan segments
    of each table.
    index_sample: v2 items of each entity looked up in their indexes: all when there are no more, else about
    as many, chosen by a hash.
    run: the id that a new run gets. owner: the process that asks.
    gap: when stream records were last accepted as lost (epoch seconds); a run begun before says nothing about
    those. both_ways: how both sides are compared and repaired, ``core.verdict``; a run of the other way is not gone on with.
    """

    sample: int | None = None
    entity: str | None = None
    repair: bool = False
    output: Path | None = None
    resume: Literal["auto", "require", "never"] = "auto"
    max_read_units: float | None = None
    segments: int | None = None
    index_sample: int = 2_000
    run: str | None = None
    owner: str = field(default_factory=worker_id)
    gap: float | None = None
    both_ways: bool = False

    @property
    def full(self) -> bool:
        """Whether everything is compared."""
        return self.sample is None and self.entity is None

    def question(self, mapping_hash: str, segments: int) -> str:
        """Fingerprint of what is asked: a run may be resumed only by the same question."""
        asked = (
            mapping_hash,
            segments,
            self.sample,
            self.entity,
            self.repair,
            str(self.output),
            self.gap,
            self.both_ways,
        )
        return blake2b(repr(asked).encode(), digest_size=8).hexdigest()

    def command(self) -> str:
        """The command line that goes on with this validation."""
        words = ["tablesplit", "validate"]
        if self.sample is None:
            words.append("--resume")
        for name, value in (("sample", self.sample), ("entity", self.entity), ("output", self.output)):
            words += [f"--{name}", str(value)] if value is not None else []
        if self.segments is not None:
            words += ["--segments", str(self.segments)]
        if self.max_read_units is not None:
            words += ["--max-read-units", f"{self.max_read_units:g}"]
        if self.repair:
            words.append("--repair")
        return shlex.join(words)
