"""The workers' reports of one lane about the shards that they read, in the control table.

The worker that holds the lane's lease combines them (``census``): only all of them together know who has read every shard to
its end.
"""

from collections.abc import Mapping
from dataclasses import field

from pydantic import ConfigDict
from pydantic.dataclasses import dataclass

from service.clock import Clock
from service.control.table import ControlTable
from service.control.workers import FORGOTTEN_SECONDS, SILENT_SECONDS

REPORT_SECONDS = 0.5
"""How often a worker reports."""


@dataclass(frozen=True, slots=True, config=ConfigDict(extra="forbid"))
class ShardView:
    """One shard as its worker sees it."""

    pages: int
    """As in ``HeldShard``."""
    tip_page: int
    """As in ``HeldShard``."""
    lag_seconds: float
    """As in ``EngineSnapshot``."""
    read_lag_seconds: float
    """As in ``EngineSnapshot``."""
    as_of: float | None
    """Everything before this moment (epoch seconds) is applied; None: not known."""


@dataclass(frozen=True, slots=True, config=ConfigDict(extra="forbid"))
class ShardReport:
    """One report of a worker."""

    number: int
    """Counts the worker's reports."""
    said_at: float
    """When it was reported, in epoch seconds."""
    shards: dict[str, ShardView] = field(default_factory=dict)
    """The worker's shards, by "table/shard"."""


def shard_name(table: str, shard_id: str) -> str:
    """The name of a shard in a report. Ids alone are not enough: two streams may have the same ones."""
    return f"{table}/{shard_id}"


class ShardReports:
    """Every worker's report of one lane."""

    def __init__(self, control: ControlTable, lane: str, clock: Clock) -> None:
        partition = f"share#{lane}"
        self._records = control.records(partition, ShardReport)
        self._sightings = control.sightings(partition, SILENT_SECONDS)
        self._clock = clock

    async def save(self, worker: str, number: int, shards: Mapping[str, ShardView]) -> None:
        """Replace this worker's report."""
        await self._records.save(worker, ShardReport(number, self._clock.now(), dict(shards)))

    async def live(self) -> dict[str, ShardReport]:
        """The reports that this process has seen moving within the last SILENT_SECONDS, by worker."""
        found = await self._records.all()
        now = self._clock.monotonic()
        self._sightings.look({worker: stored.rev for worker, stored in found.items()}, now)
        return {worker: stored.value for worker, stored in found.items() if self._sightings.alive(worker, now)}

    async def leave(self, worker: str) -> None:
        """Remove this worker's report, and those that are an hour old."""
        oldest = self._clock.now() - FORGOTTEN_SECONDS
        for name, stored in (await self._records.all()).items():
            if name == worker or stored.value.said_at < oldest:
                await self._records.forget(name)
