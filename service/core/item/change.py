"""A change: one record of a DynamoDB Stream."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from service.core.item.wire import Item
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
