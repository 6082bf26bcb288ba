"""The contract between reading a stream and applying it: what every stream engine promises, and what it needs from the layers
above."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from service.core.item.change import Change
from service.core.shards import RETENTION_SECONDS, Position


@dataclass(frozen=True, slots=True)
class EngineSnapshot:
    """The state of an engine at one moment."""

    shards_unfinished: int
    """Shards that are not read to their end, the waiting ones included."""
    shards_finished: int
    rounds: int
    """How many times every known shard has been read to its end, applied and checkpointed since the engine started. When the
    count has risen by ROUNDS_TO_PASS, everything that was in the stream at the first look has been applied."""
    lag_seconds: float
    """An upper bound, in seconds, on the age of the oldest change that is not applied yet; the stream dates changes in whole
    seconds. 0 when the stream is read to its end."""
    retention_headroom_seconds: float = RETENTION_SECONDS
    """How long the engine may stand still before DynamoDB may trim unread changes; if negative, it may have trimmed some."""
    shards_waiting: int = 0
    """How many of ``shards_unfinished`` wait for their parents."""
    read_lag_seconds: float = 0.0
    """Age of the newest change that was read, in the shard that is furthest behind; 0 when the stream is read to its end."""


class ShardSink(Protocol):
    """Applies changes. Implemented in ``service.sync.sinks``."""

    async def apply(self, shard_id: str, changes: Sequence[Change]) -> None:
        """Return only when every effect of ``changes`` (one shard, stream order) is acknowledged by DynamoDB or quarantined."""


class Positions(Protocol):
    """Stores positions durably. Implemented by ``service.control.checkpoints``."""

    async def load(self) -> Mapping[str, Position]:
        """The position of every known shard of the stream."""

    async def save(self, shard_id: str, position: Position) -> None:
        """Save a position; it is acknowledged when this returns. Raises Fenced when a newer owner has saved the shard since."""

    async def forget(self, shard_id: str) -> None:
        """Delete the position of a finished shard that can't come back. Raises Fenced as ``save`` does."""


class StreamEngine(Protocol):
    """Reads a stream: parents before children, in order per key, effect before checkpoint."""

    async def run(self) -> None:
        """Read until cancelled. Raises Fatal when going on could skip a record (I5)."""

    def snapshot(self) -> EngineSnapshot:
        """The state of the stream now."""
