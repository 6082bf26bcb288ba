"""What the operator may ask of a backfill, and which job of an array job a process is."""

import shlex
from dataclasses import dataclass

from service.config import Settings

MOST_SEGMENTS = 1_000_000
"""https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_Scan.html, TotalSegments"""


@dataclass(frozen=True, slots=True)
class ArrayJob:
    """One job of an array job of ``size`` jobs."""

    index: int
    """From 0."""
    size: int
    id: str = ""
    """Of the array job, the same for all of its jobs."""


SINGLE_JOB = ArrayJob(0, 1)


@dataclass(frozen=True, slots=True)
class BackfillOptions:
    """The options of `migrate`. None: as configured."""

    segments: int | None = None
    """Parallel Scan segments of a new run, for each job of an array. A resumed run keeps its own."""
    max_read_units: float | None = None
    """Capacity units per second at most, by all workers of the run together."""
    max_write_units: float | None = None
    """Capacity units per second at most, indexes included, by all workers of the run together."""
    again: bool = False
    """Copy the whole table again although a run has finished."""
    owner: str = "migrate"
    """The name of this process, shown to other processes that find the lease taken."""
    max_cost: float | None = None
    """US dollars at which the backfill pauses."""

    def command(self) -> str:
        """The command line that resumes this backfill. Without --again, which would begin a new run."""
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
    """The job of an AWS Batch array job that this process is, by the environment variables that Batch sets; None: no such job.

    The job id of a child job is the id of the array job, a colon and the child's index
    (https://docs.aws.amazon.com/batch/latest/userguide/array_jobs.html).
    """
    index, size = settings.batch_array_index, settings.batch_array_size
    if index is None or size is None:
        return None
    return ArrayJob(index, size, (settings.batch_job_id or "").partition(":")[0])
