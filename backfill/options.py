"""What the operator may ask of a backfill, and which job of an array job it is."""

import shlex
from dataclasses import dataclass

from service.config import Settings

MOST_SEGMENTS = 1_000_000
"""https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_Scan.html, TotalSegments"""


@dataclass(frozen=True, slots=True)
class ArrayJob:
    """The job ``index`` (from 0) of an array job of ``size`` jobs. id: of the array job, the same for all of them."""

    index: int
    size: int
    id: str = ""


ALONE = ArrayJob(0, 1)


@dataclass(frozen=True, slots=True)
class BackfillOptions:
    """segments: parallel Scan segments of a new run, for each job of an array (None: as configured); a run that is gone on with
    keeps its own.

    max_read_units, max_write_units: capacity units per second at most (None: as configured).
    max_cost: US dollars at which the backfill pauses (None: as configured).
    again: walk the table anew although a run has finished. owner: this process, for whoever finds the lease taken.
    """

    segments: int | None = None
    max_read_units: float | None = None
    max_write_units: float | None = None
    again: bool = False
    owner: str = "migrate"
    max_cost: float | None = None

    def command(self) -> str:
        """The command line that goes on with this backfill. Without --again, which would begin anew."""
        words = ["tablesplit", "migrate"]
        for name, value in (
            ("segments", self.segments),
            ("max-read-units", self.max_read_units),
            ("max-write-units", self.max_write_units),
            ("max-cost", self.max_cost),
        ):
            words += [f"--{name}", f"{value:g}"] if value is not None else []
        return shlex.join(words)


def array_job(settings: Settings) -> ArrayJob | None:
    """Which job of an AWS Batch array job this is, by what Batch tells its container; None: of no array.

    A child's job id is that of the array job, a colon and its index
    (https://docs.aws.amazon.com/batch/latest/userguide/array_jobs.html).
    """
    index, size = settings.batch_array_index, settings.batch_array_size
    if index is None or size is None:
        return None
    return ArrayJob(index, size, (settings.batch_job_id or "").partition(":")[0])
