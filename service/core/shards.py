"""The lineage of a stream's shards: which may be read now, which are lost, which may be forgotten.

A shard ends when its partition splits or after about four hours; its children carry on. A child read before
its parent has ended would apply an item's changes in the wrong order, and a shard that disappears unread is
lost changes.

``known`` is what tablesplit remembers of a stream (shard id to Position); ``listed`` is one DescribeStream
answer (shard id to parent id). Source: DynamoDB Developer Guide, "Change data capture for DynamoDB Streams"
(retention of 24 hours, parents before children, shards are closed and split on their own).
"""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

ROUNDS_TO_PASS = 2
"""After so many more rounds, everything that was in the stream before is applied: one may have been under way."""


RETENTION_SECONDS = 24 * 3600
"""How long DynamoDB keeps a stream record for certain; it may be gone at any moment after."""

FIRST_READ_SECONDS = RETENTION_SECONDS - 3600
"""A shard must be opened from its trim horizon this soon after it was first seen: one hour in hand for late
listings and clocks."""

FORGET_SECONDS = 2 * RETENTION_SECONDS
"""A finished shard is remembered this long, so that a listing that still has it doesn't bring it back as a
new one."""

CHILD_GRACE_SECONDS = 300
"""How long the children of an ended shard are waited for before "caught up" may be said without them. They
are late by seconds."""

Listing = Mapping[str, str | None]


@dataclass(frozen=True, slots=True)
class Position:
    """How far a shard has been read *and applied*.

    sequence: the last sequence number whose effects are all acknowledged; None: nothing yet, start at the
    trim horizon.
    state: ``reading``, or ``finished`` once the shard's last record is applied.
    finished_at: epoch seconds, for forgetting finished shards after 48 hours.
    as_of: epoch seconds before which everything written to the shard is known to be applied (at first: when
    the shard was first seen). Tells how much of the 24 hours of retention is left; None: not known.
    """

    parent_id: str | None
    sequence: str | None = None
    state: Literal["reading", "finished"] = "reading"
    finished_at: float | None = None
    as_of: float | None = None


def parents_first(listed: Listing) -> Iterator[str]:
    """The listed shards, each after its parent: the order in which they are saved, so that a crash in between
    never leaves a child known whose parent is not (such a parent would count as read before the start)."""
    given: set[str] = set()
    for shard_id in listed:
        line = []
        ancestor: str | None = shard_id
        while ancestor is not None and ancestor in listed and ancestor not in given:
            given.add(ancestor)
            line.append(ancestor)
            ancestor = listed[ancestor]
        yield from reversed(line)


def first_positions(listed: Listing, now: float) -> dict[str, Position]:
    """The saved start: every listed shard from its trim horizon. A parent that isn't listed ended before the
    start."""
    return {shard_id: Position(parent_id=listed[shard_id], as_of=now) for shard_id in parents_first(listed)}


def new_shards(known: Mapping[str, Position], listed: Listing) -> list[str]:
    """Listed and not known yet, parents first."""
    return [shard_id for shard_id in parents_first(listed) if shard_id not in known]


def may_open(known: Mapping[str, Position], shard_id: str) -> bool:
    """Whether a known shard may be read now: it is unfinished, and its parent is finished or was gone at the
    saved start.

    A known shard with an unknown parent belongs to the saved start, or its parent was finished and is
    forgotten.
    """
    position = known[shard_id]
    parent = known.get(position.parent_id) if position.parent_id else None
    return position.state == "reading" and (parent is None or parent.state == "finished")


def vanished(known: Mapping[str, Position], listed: Listing) -> list[str]:
    """Shards that are lost: known and unfinished, but not listed any more; or never seen, and named as the
    parent of a new shard.

    The second kind came and went while nobody looked (more than 24 hours of it).
    """
    unread = [shard_id for shard_id in known if known[shard_id].state == "reading" and shard_id not in listed]
    parents = (listed[shard_id] for shard_id in new_shards(known, listed))
    missed = [parent for parent in parents if parent and parent not in known and parent not in listed]
    return unread + missed


def too_late_to_open(position: Position, now: float) -> bool:
    """Whether reading from the trim horizon may skip records: DynamoDB trims single records and says nothing
    about it there."""
    seen = position.as_of
    return position.sequence is None and seen is not None and now - seen > FIRST_READ_SECONDS


def forgettable(known: Mapping[str, Position], listed: Listing, now: float) -> list[str]:
    """Finished shards that nothing can bring back: finished over 48 hours ago and not listed any more."""
    return [shard_id for shard_id in _finished_before(known, now - FORGET_SECONDS) if shard_id not in listed]


def awaiting_children(known: Mapping[str, Position], now: float) -> list[str]:
    """Shards that ended a short while ago and have no known child: it is late, and holds unread changes.

    Only for ``CHILD_GRACE_SECONDS``: a shard whose children never come must not keep "caught up" from being
    said for ever.
    """
    settled = {position.parent_id for position in known.values()}
    settled.update(_finished_before(known, now - CHILD_GRACE_SECONDS))
    return [shard_id for shard_id in known if known[shard_id].state == "finished" and shard_id not in settled]


def _finished_before(known: Mapping[str, Position], moment: float) -> list[str]:
    """Shards that finished at or before ``moment`` (epoch seconds)."""
    return [shard_id for shard_id, at in known.items() if at.finished_at is not None and at.finished_at <= moment]


def after_gap(
    known: Mapping[str, Position], listed: Listing, trimmed: Collection[str], now: float
) -> dict[str, Position]:
    """The positions after the operator has accepted a gap, parents first.

    Vanished shards are dropped, trimmed ones (``trimmed``) start again at the trim horizon, newly listed ones
    start there; everything else, finished shards too, stays as it is. What lay in the gap is repaired from
    the tables (``validate --repair``).
    """
    finished = {shard_id: position for shard_id, position in known.items() if position.state == "finished"}
    start = first_positions(listed, now)
    kept = {shard_id: known[shard_id] for shard_id in start if shard_id in known and shard_id not in trimmed}
    return finished | start | kept
