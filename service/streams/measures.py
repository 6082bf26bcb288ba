"""The snapshot of a stream, computed from its shards' positions and from what is known about the shards being read."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from service.core.shards import RETENTION_SECONDS, Position, awaiting_children
from service.streams.engine import EngineSnapshot


@dataclass(frozen=True, slots=True)
class ShardMeasure:
    """A shard that is being read."""

    lag_seconds: float
    """As in ``EngineSnapshot``."""
    read_lag_seconds: float
    """As in ``EngineSnapshot``."""
    as_of: float | None
    """Everything before this moment (epoch seconds) is applied; None: not known."""


def unfinished(known: Mapping[str, Position]) -> list[str]:
    """The shards that are not read to their end."""
    return [shard_id for shard_id, position in known.items() if position.state == "reading"]


def stream_snapshot(
    known: Mapping[str, Position], read: Mapping[str, ShardMeasure], waiting: Collection[str], rounds: int, now: float
) -> EngineSnapshot:
    """The snapshot of one stream at ``now``, epoch seconds. A shard that no worker reads lags by the time since it is known to
    be unread.

    ``read``: the shards that are being read. ``waiting``: those of the others that wait for their parents.
    """
    left = unfinished(known)
    measures = {shard_id: read[shard_id] for shard_id in left if shard_id in read}
    read_up_to = [measures[s].as_of if s in measures else known[s].as_of for s in left]
    behind = max((now - moment for moment in read_up_to if moment is not None), default=0.0)
    unread = [shard_id for shard_id in left if shard_id not in measures]
    ages = [now - (known[s].as_of or now) for s in (*unread, *awaiting_children(known, now))]
    return EngineSnapshot(
        shards_unfinished=len(left),
        shards_finished=len(known) - len(left),
        rounds=rounds,
        lag_seconds=max([0.0, *ages, *(measure.lag_seconds for measure in measures.values())]),
        retention_headroom_seconds=RETENTION_SECONDS - behind,
        shards_waiting=len(waiting),
        read_lag_seconds=max([0.0, *ages, *(measure.read_lag_seconds for measure in measures.values())]),
    )
