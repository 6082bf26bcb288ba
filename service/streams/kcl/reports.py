"""What the workers of one lane tell each other of the shards that they read, in the control table.

One of them, the one with the lane's lease, puts it together (``census``): who has read every shard to its end is known only
by all of them.
"""

from collections.abc import Mapping
from dataclasses import field

from pydantic import ConfigDict
from pydantic.dataclasses import dataclass

from service.clock import Clock
from service.control.table import ControlTable
from service.control.workers import FORGOTTEN_SECONDS, QUIET_SECONDS

SHARE_SECONDS = 0.5


@dataclass(frozen=True, slots=True, config=ConfigDict(extra="forbid"))
class HeldView:
    """One shard as its worker sees it. pages, tip_page: as ``HeldShard`` has them. lag_seconds, read_lag_seconds: as
    ``EngineSnapshot`` has them. as_of: epoch seconds before which everything is applied; None: not known."""

    pages: int
    tip_page: int
    lag_seconds: float
    read_lag_seconds: float
    as_of: float | None


@dataclass(frozen=True, slots=True, config=ConfigDict(extra="forbid"))
class ShardReport:
    """What one worker says. number: counts what it has said; said_at: epoch seconds; shards: by "table/shard"."""

    number: int
    said_at: float
    shards: dict[str, HeldView] = field(default_factory=dict)


def share_name(table: str, shard_id: str) -> str:
    """How a share calls a shard: the ids of two streams may be the same."""
    return f"{table}/{shard_id}"


class ShardReports:
    """Every worker's share of one lane."""

    def __init__(self, control: ControlTable, lane: str, clock: Clock) -> None:
        self._records = control.records(f"share#{lane}", ShardReport)
        self._clock = clock

    async def say(self, worker: str, number: int, shards: Mapping[str, HeldView]) -> None:
        """Replace this worker's share."""
        await self._records.save(worker, ShardReport(number, self._clock.now(), dict(shards)))

    async def heard(self) -> dict[str, ShardReport]:
        """The shares of those that have not fallen silent, by worker."""
        quiet = self._clock.now() - QUIET_SECONDS
        return {
            worker: stored.value
            for worker, stored in (await self._records.all()).items()
            if stored.value.said_at > quiet
        }

    async def leave(self, worker: str) -> None:
        """Forget this worker's share, and those that are an hour old."""
        old = self._clock.now() - FORGOTTEN_SECONDS
        for name, stored in (await self._records.all()).items():
            if name == worker or stored.value.said_at < old:
                await self._records.forget(name)
