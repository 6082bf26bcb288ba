"""What the operator may ask of a validation."""

import shlex
from dataclasses import dataclass, field
from hashlib import blake2b
from pathlib import Path
from typing import Literal

from service.control.workers import worker_id


@dataclass(frozen=True, slots=True)
class ValidationOptions:
    """The options of `validate`, and what its caller knows of the migration."""

    sample: int | None = None
    """Compare about this many items of each entity; None: all."""
    entity: str | None = None
    """Compare only this entity; None: all."""
    repair: bool = False
    """Repair what differs."""
    output: Path | None = None
    """A file that gets every difference as a JSON line."""
    resume: Literal["auto", "require", "never"] = "auto"
    """``auto`` resumes an unfinished run with the same fingerprint, ``require`` refuses when there is none, ``never`` begins a new
    run."""
    max_read_units: float | None = None
    """Read capacity units per second at most, of all tables together; None: no limit."""
    segments: int | None = None
    """Scan segments of each table; None: as configured."""
    index_sample: int = 2_000
    """v2 items of each entity that are looked up in their indexes: all when there are no more, otherwise about so many, chosen by
    a hash."""
    run: str | None = None
    """The id of a new run; None: one is made."""
    owner: str = field(default_factory=worker_id)
    """The process that validates."""
    gap: float | None = None
    """When stream records were last accepted as lost (epoch seconds). A run that was begun before did not look for those."""
    both_ways: bool = False
    """How both sides are compared and repaired (``core.rules.verdict``). A run of the other way is not resumed."""

    @property
    def full(self) -> bool:
        """Whether everything is compared."""
        return self.sample is None and self.entity is None

    def fingerprint(self, mapping_hash: str, segments: int) -> str:
        """A hash of what is compared and how: a run may be resumed only with the same one."""
        compared = (
            mapping_hash,
            segments,
            self.sample,
            self.entity,
            self.repair,
            str(self.output),
            self.gap,
            self.both_ways,
        )
        return blake2b(repr(compared).encode(), digest_size=8).hexdigest()

    def command(self) -> str:
        """The command line that resumes this validation."""
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
