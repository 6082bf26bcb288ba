"""When a bare tombstone may go: only once nothing can arrive any more that it would have to keep out."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class PurgeFacts:
    """What is known about one tombstone. All ages are seconds on the observer's own monotonic clock.

    tombstone_age: since this process first saw it. backfill_finished_age: since this process first saw the
    backfill finished; None: not finished. read_past: every shard has been read to its end, applied and
    checkpointed since the tombstone was seen. ownership_age: since this process began to own the stream.
    oldest_repair_age: since the oldest repair under way was first seen; None: no repair is under way.
    """

    tombstone_age: float
    backfill_finished_age: float | None
    read_past: bool
    ownership_age: float
    oldest_repair_age: float | None


@dataclass(frozen=True, slots=True)
class PurgeVerdict:
    """Whether the tombstone may be purged; if not, ``reason`` is the first condition not met, as a slug for
    the metrics."""

    allowed: bool
    reason: str


def may_purge(facts: PurgeFacts, *, horizon: float, grace: float) -> PurgeVerdict:
    """The conditions of DESIGN section 4, in order.

    (a) The backfill has finished, and its superseded workers can no longer write. (b) The checkpoints have
    passed the tombstone, so no replay brings an earlier change. (c) No superseded owner of a shard can still
    write. (d) No repair begun before it is under way. ``horizon`` is the writer horizon: how long a worker
    may still write after it lost its lease; seconds. ``grace`` is the least age of a tombstone that is
    purged.
    """
    conditions = {
        "young": facts.tombstone_age >= grace,
        "backfill": facts.backfill_finished_age is not None and facts.backfill_finished_age >= horizon,
        "checkpoint": facts.read_past,
        "owner": facts.ownership_age >= horizon,
        "repair": facts.oldest_repair_age is None or facts.oldest_repair_age < facts.tombstone_age,
    }
    unmet = next((reason for reason, met in conditions.items() if not met), None)
    return PurgeVerdict(unmet is None, unmet or "none")
