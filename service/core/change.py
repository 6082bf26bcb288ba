"""A change: one record of a DynamoDB Stream, and who made it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from service.core.stamp import decode_stamp
from service.core.wire import Item
from service.errors import Fatal


@dataclass(frozen=True, slots=True)
class Change:
    """One write on a table, with the whole item before and after it (None: absent).

    sequence is the SequenceNumber as the stream gives it; ``core.version`` makes it comparable.
    created is ApproximateCreationDateTime in epoch seconds, whole seconds only: for lag, never for order.
    """

    table: str
    shard_id: str
    sequence: str
    key: Item
    old: Item | None
    new: Item | None
    created: float | None = None


def parse_record(record: Mapping[str, Any], *, table: str, shard_id: str) -> Change:
    """The change that a GetRecords record tells of. An absent image may be missing or ``{}`` (the KCL adapter's way).

    Raises Fatal when an image is missing that the event name promises: then the stream's view type is not
    NEW_AND_OLD_IMAGES, and key moves and authorship could not be seen.
    """
    content = record["dynamodb"]
    old, new = content.get("OldImage") or None, content.get("NewImage") or None
    event = record["eventName"]
    if (event in ("INSERT", "MODIFY") and new is None) or (event in ("MODIFY", "REMOVE") and old is None):
        raise Fatal(
            f"stream record {content['SequenceNumber']} of table {table} ({event}) lacks an image",
            remedy="the stream must be NEW_AND_OLD_IMAGES: run `tablesplit preflight`",
        )
    return Change(
        table=table,
        shard_id=shard_id,
        sequence=content["SequenceNumber"],
        key=content["Keys"],
        old=old,
        new=new,
        created=content.get("ApproximateCreationDateTime"),
    )


def made_by_us(change: Change, stamp_name: str, seen: str | None) -> bool:
    """Whether tablesplit, and not the application, made this change.

    Ours if and only if the new stamp differs from the old one *and* its version is above every stamp version seen so far for
    this item in this stream (``seen`` from the ledger, or the old image's own). A Put by the application drops the stamp, an
    Update keeps it, writing back an earlier image brings an old one back: comparing content would take the last for ours.
    The removal of a tombstone is ours; any other removal is the application's.
    """
    before = decode_stamp(change.old, stamp_name) if change.old else None
    if change.new is None:
        return before is not None and before.tombstone
    after = decode_stamp(change.new, stamp_name)
    if after is None or after == before:
        return False
    known = [version for version in (seen, before.version if before else None) if version is not None]
    return all(after.version > version for version in known)
