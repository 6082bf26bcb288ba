"""When a bare tombstone may be purged: once no write can arrive any more that it would have to refuse.

A purge cannot be made safe by its condition alone. DynamoDB has no condition that an item has *no other* attribute, so a delete
cannot ask whether an application has put one, under a name that the mapping does not know, on the tombstone. In the guarded phase
the purger therefore reads the item again, consistently, right before the delete, and leaves it alone when anything was added. What
is added in the milliseconds between the two is deleted with the tombstone. It is a rogue write then (before the first `dual` the
application does not write v2), and not a silent one: the stream has its record, with the whole image, the log names the key, and
the gate to `dual` stays closed until a validation has compared everything.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class PurgeFacts:
    """The facts about one tombstone. All ages are seconds on the observer's own monotonic clock."""

    tombstone_age: float
    """Since this process first saw the tombstone."""
    backfill_finished_age: float | None
    """Since this process first saw the backfill finished; None: it is not finished."""
    read_past: bool
    """Whether every shard has been read to its end, applied and checkpointed since the tombstone was seen."""
    ownership_age: float
    """Since this process began to own the stream."""
    oldest_repair_age: float | None
    """Since the oldest running repair was first seen; None: no repair is running."""


@dataclass(frozen=True, slots=True)
class PurgeVerdict:
    """Whether the tombstone may be purged."""

    allowed: bool
    reason: str
    """The first condition that is not met, as a label for the metrics; ``none`` when allowed."""


def may_purge(facts: PurgeFacts, *, horizon: float, grace: float) -> PurgeVerdict:
    """Whether the tombstone may be purged, by the conditions of DESIGN section 4, in this order.

    First of all, the tombstone is at least ``grace`` seconds old. (a) The backfill has finished, and its superseded workers can no
    longer write. (b) The checkpoints have passed the tombstone, so no replay brings an earlier change. (c) No superseded owner of a
    shard can still write. (d) No repair that began before the tombstone was seen is running. ``horizon`` is the writer horizon: how
    many seconds after a worker lost its lease its last request may still arrive, however long the network holds it.
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
