"""What every stream engine keeps, and what it needs from the layers above: the contract between reading and
applying."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from service.core.item.change import Change
from service.core.shards import RETENTION_SECONDS, ROUNDS_TO_PASS, Position

__all__ = ["ROUNDS_TO_PASS", "EngineSnapshot", "Position", "Positions", "ShardSink", "StreamEngine"]


@dataclass(frozen=True, slots=True)
class EngineSnapshot:
    """One look at an engine.

    rounds: how many times every known shard has been read to its end, applied and checkpointed since the
    engine started. A caller that sees the count rise by ROUNDS_TO_PASS knows that everything that was in the stream
    when it first looked has been applied.
    lag_seconds: age of the oldest unapplied change (whole seconds, as the stream dates them); 0 when read to
    the end.
    retention_headroom_seconds: how long the engine may stand still before DynamoDB may trim unread changes;
    negative: it may have.
    shards_waiting: those of shards_reading that wait for their parents. read_lag_seconds: age of the newest change read where
    that is furthest behind; 0 when read to the end.
    """

    shards_reading: int
    shards_finished: int
    rounds: int
    lag_seconds: float
    retention_headroom_seconds: float = RETENTION_SECONDS
    shards_waiting: int = 0
    read_lag_seconds: float = 0.0


class ShardSink(Protocol):
    """Applies changes. Implemented by the consumer."""

    async def apply(self, shard_id: str, changes: Sequence[Change]) -> None:
        """Return only when every effect of ``changes`` (one shard, stream order) is acknowledged by DynamoDB
        or quarantined."""


class Positions(Protocol):
    """Remembers positions durably. Implemented by the checkpoints."""

    async def load(self) -> Mapping[str, Position]:
        """Every known shard of the stream."""

    async def save(self, shard_id: str, position: Position) -> None:
        """Acknowledged when it returns. Raises Fenced when a newer owner has saved since."""

    async def forget(self, shard_id: str) -> None:
        """Drop a finished shard that can't come back. Raises Fenced as ``save`` does."""


class StreamEngine(Protocol):
    """Reads a stream: parents before children, per-key order, effect before checkpoint."""

    async def run(self) -> None:
        """Read until cancelled. Raises Fatal when going on could skip a record (I5)."""

    def snapshot(self) -> EngineSnapshot:
        """Where it stands now."""
