"""What the operator may ask of a backfill."""

import shlex
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class BackfillOptions:
    """segments: parallel Scan segments of a new run (None: as configured); a run that is gone on with keeps its own.

    max_read_units, max_write_units: capacity units per second at most (None: as configured).
    again: walk the table anew although a run has finished. owner: this process, for whoever finds the lease taken.
    """

    segments: int | None = None
    max_read_units: float | None = None
    max_write_units: float | None = None
    again: bool = False
    owner: str = "migrate"

    def command(self) -> str:
        """The command line that goes on with this backfill. Without --again, which would begin anew."""
        words = ["tablesplit", "migrate"]
        for name, value in (
            ("segments", self.segments),
            ("max-read-units", self.max_read_units),
            ("max-write-units", self.max_write_units),
        ):
            words += [f"--{name}", f"{value:g}"] if value is not None else []
        return shlex.join(words)
