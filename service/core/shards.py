"""The lineage of a stream's shards: which shards may be read now, which are lost, which may be forgotten.

A shard ends when its partition splits or after about four hours; its child shards continue it. If a child were read before
its parent has ended, an item's changes would be applied in the wrong order. If a shard disappears before it was read, its
changes are lost.

``known`` is what tablesplit remembers of a stream (shard id to Position); ``listed`` is one DescribeStream answer (shard id to
parent id). Source: DynamoDB Developer Guide, "Change data capture for DynamoDB Streams" (retention of 24 hours, parents before
children, shards are closed and split on their own).
"""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Literal

ROUNDS_TO_PASS = 2
"""After this many more rounds of reading, everything that was in the stream before is applied: one round may be half done."""

RETENTION_SECONDS = 24 * 3600
"""DynamoDB keeps a stream record at least this long, and may delete it at any moment afterwards."""

FIRST_READ_SECONDS = RETENTION_SECONDS - 3600
"""A shard must be opened at its trim horizon within this time after the moment up to which everything in it is applied. It is an
hour less than the retention, for late listings and clocks that differ."""

FORGET_SECONDS = 2 * RETENTION_SECONDS
"""A finished shard is remembered this long, so that a listing that still has it does not bring it back as a new shard."""

CHILD_GRACE_SECONDS = 300
"""The children of an ended shard are waited for this long; after that, "caught up" may be reported without them. They are usually
late by seconds."""

Listing = Mapping[str, str | None]
"""Shard id to parent id (None: no parent)."""


@dataclass(frozen=True, slots=True)
class Position:
    """How far a shard has been read *and applied*."""

    parent_id: str | None
    sequence: str | None = None
    """The last sequence number whose effects are all acknowledged; None: nothing yet, start at the trim horizon."""
    state: Literal["reading", "finished"] = "reading"
    """``finished`` once the shard's last record is applied."""
    finished_at: float | None = None
    """Epoch seconds; a finished shard is forgotten 48 hours later."""
    as_of: float | None = None
    """Epoch seconds before which everything written to the shard is known to be applied; at first that of its parent, or when the
    shard was first seen. It shows how much of the 24 hours of retention is left; None: not known."""


def parents_first(listed: Listing) -> Iterator[str]:
    """The listed shards, each after its parent.

    They are saved in this order, so that after a crash no known child has an unknown parent: such a parent would count as read
    before the start.
    """
    yielded: set[str] = set()
    for shard_id in listed:
        ancestors = []
        ancestor: str | None = shard_id
        while ancestor is not None and ancestor in listed and ancestor not in yielded:
            yielded.add(ancestor)
            ancestors.append(ancestor)
            ancestor = listed[ancestor]
        yield from reversed(ancestors)


def first_positions(listed: Listing, now: float) -> dict[str, Position]:
    """Every listed shard at its trim horizon: nothing of it is known to be applied. A parent that is not listed ended before."""
    return {shard_id: Position(parent_id=listed[shard_id], as_of=now) for shard_id in parents_first(listed)}


@dataclass(frozen=True, slots=True)
class Passed:
    """How far an open shard was read *before the first Scan*, without applying anything."""

    sequence: str | None = None
    """The last record that was returned; None: none was."""
    ended: bool = False
    """The shard was read to its end."""
    at_tip: bool = False
    """It was read as far as it goes, so nothing of before the start is known to be left in it."""
    as_of: float | None = None
    """Epoch seconds before which everything in the shard was read; None: not known."""


def start_positions(
    listed: Listing, closed: Collection[str], passed: Mapping[str, Passed], now: float
) -> dict[str, Position]:
    """The positions to save before the first Scan of the old table, parents first. Nothing may have been scanned before the
    listing and ``passed`` were read.

    A write that the Scan sees needs no replay. Which writes it sees is known by order alone, never by a clock:

    - A shard that was ``closed`` when it was listed holds only writes that were done by then. It is saved as finished.
    - A record that GetRecords has returned is of a write that was done by then. So is every record before it in its shard. An
      open shard is saved after the last record that was returned.
    - A record that arrives later lies behind that position, whatever its time says, and is applied. A shard that is listed
      later is read from its trim horizon.

    Both hold because a stream record is written after its write is done, and the Scan is consistent.
    ApproximateCreationDateTime decides nothing: it is approximate, and another machine's.

    What is left out must be the beginning of each item's history: were an earlier change applied and a later one left out, the
    earlier would stand on v2, and the copy of the Scan would yield to it. So a shard is left out, in part or whole, only when
    every listed ancestor is left out to its end.
    """
    positions: dict[str, Position] = {}
    for shard_id in parents_first(listed):
        parent = positions.get(listed[shard_id] or "")
        position = Position(listed[shard_id], as_of=now)
        if parent is None or parent.state == "finished":
            position = _passed_over(position, shard_id in closed, passed.get(shard_id, Passed()), now)
        positions[shard_id] = position
    return positions


def _passed_over(position: Position, closed: bool, passed: Passed, now: float) -> Position:
    if closed or passed.ended:
        return replace(position, sequence=passed.sequence, state="finished", finished_at=now)
    if passed.sequence is None:
        return position
    return replace(position, sequence=passed.sequence, as_of=passed.as_of)


def new_shards(known: Mapping[str, Position], listed: Listing) -> list[str]:
    """The listed shards that are not known yet, parents first."""
    return [shard_id for shard_id in parents_first(listed) if shard_id not in known]


def first_position(known: Mapping[str, Position], parent_id: str | None, now: float) -> Position:
    """The position of a shard that is listed for the first time, at its trim horizon: it may have begun long ago, when its parent
    ended, while nobody read the stream."""
    parent = known.get(parent_id) if parent_id else None
    return Position(parent_id, as_of=now if parent is None or parent.as_of is None else min(now, parent.as_of))


def with_known_parents(known: Mapping[str, Position], listed: Listing) -> Listing:
    """What of a listing that is not whole can be adopted: shards whose parent is known, or is adopted too. A parent that is in
    neither may be in the rest of the listing, or may be lost; only a whole listing shows which."""
    kept: dict[str, str | None] = {}
    for shard_id in parents_first(listed):
        if listed[shard_id] is None or listed[shard_id] in known or listed[shard_id] in kept:
            kept[shard_id] = listed[shard_id]
    return kept


def may_open(known: Mapping[str, Position], shard_id: str) -> bool:
    """Whether a known shard may be read now: it is unfinished, and its parent is finished or unknown.

    If the parent is unknown, it had ended before the saved start, or it was finished and has been forgotten.
    """
    position = known[shard_id]
    parent = known.get(position.parent_id) if position.parent_id else None
    return position.state == "reading" and (parent is None or parent.state == "finished")


def vanished(known: Mapping[str, Position], listed: Listing) -> list[str]:
    """The shards that are lost: known and unfinished, but no longer listed; or named as the parent of a new shard, but never seen.

    The second kind began and expired while tablesplit did not read the stream (for more than 24 hours).
    """
    unread = [shard_id for shard_id in known if known[shard_id].state == "reading" and shard_id not in listed]
    parents = (listed[shard_id] for shard_id in new_shards(known, listed))
    missed = [parent for parent in parents if parent and parent not in known and parent not in listed]
    return unread + missed


def applied_up_to(known: Mapping[str, Position], shard_id: str) -> float | None:
    """Epoch seconds before which everything written to a known shard is applied; None: not known.

    Of a shard of which nothing is read yet, this is so of its finished parent too: it began when its parent ended.
    """
    position = known[shard_id]
    parent = known.get(position.parent_id) if position.parent_id else None
    unread = position.sequence is None and position.as_of is not None
    if not unread or parent is None or parent.state == "reading":
        return position.as_of
    return max(position.as_of or 0.0, parent.as_of or 0.0)


def is_horizon_safe(as_of: float | None, now: float) -> bool:
    """Whether reading a shard from its trim horizon skips nothing that is not applied: what was trimmed is older than a day."""
    return as_of is not None and now - as_of <= FIRST_READ_SECONDS


def too_late_to_open(known: Mapping[str, Position], shard_id: str, now: float) -> bool:
    """Whether reading a shard for the first time, from its trim horizon, may skip records: DynamoDB trims single records, and an
    iterator at the trim horizon does not report it."""
    as_of = applied_up_to(known, shard_id)
    return known[shard_id].sequence is None and as_of is not None and not is_horizon_safe(as_of, now)


def forgettable(known: Mapping[str, Position], listed: Listing, now: float) -> list[str]:
    """The finished shards to forget: finished over 48 hours ago and no longer listed, so that no listing brings them back."""
    return [shard_id for shard_id in _finished_before(known, now - FORGET_SECONDS) if shard_id not in listed]


def awaiting_children(known: Mapping[str, Position], now: float) -> list[str]:
    """The shards that ended a short time ago and have no known child: the child is not listed yet, and may hold unread changes.

    Only for ``CHILD_GRACE_SECONDS``: a shard that never gets children must not block "caught up" permanently.
    """
    settled = {position.parent_id for position in known.values()}
    settled.update(_finished_before(known, now - CHILD_GRACE_SECONDS))
    return [shard_id for shard_id in known if known[shard_id].state == "finished" and shard_id not in settled]


def _finished_before(known: Mapping[str, Position], moment: float) -> list[str]:
    """The shards that finished at or before ``moment`` (epoch seconds)."""
    return [
        shard_id
        for shard_id, position in known.items()
        if position.finished_at is not None and position.finished_at <= moment
    ]


def after_gap(
    known: Mapping[str, Position], listed: Listing, trimmed: Collection[str], now: float
) -> dict[str, Position]:
    """The positions after the operator has accepted a gap, parents first.

    Vanished shards are dropped. ``trimmed`` shards start again at the trim horizon, and newly listed ones start there. All
    other shards, finished ones too, keep their positions. The changes lost in the gap are repaired from the tables
    (``validate --repair``).
    """
    finished = {shard_id: position for shard_id, position in known.items() if position.state == "finished"}
    start = first_positions(listed, now)
    kept = {shard_id: known[shard_id] for shard_id in start if shard_id in known and shard_id not in trimmed}
    return finished | start | kept
