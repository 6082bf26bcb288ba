"""A change: one record of a DynamoDB stream."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from service.core.item.wire import Item
from service.errors import Fatal


@dataclass(frozen=True, slots=True)
class Change:
    """One write on a table, with the whole item before and after it."""

    table: str
    shard_id: str
    sequence: str
    """The SequenceNumber as the stream gives it; ``stamp.stream_version`` makes it comparable."""
    key: Item
    old: Item | None
    """The old image; None: there was no item before."""
    new: Item | None
    """The new image; None: there is no item afterwards."""
    created: float | None = None
    """ApproximateCreationDateTime in epoch seconds, whole seconds only: for lag, never for order."""
    expired: bool = False
    """The removal of an item by DynamoDB's TTL, not by the application."""


def parse_record(record: Mapping[str, Any], *, table: str, shard_id: str) -> Change:
    """The change in one record of a GetRecords answer. An absent image may be missing or ``{}`` (as the KCL adapter writes it).

    Raises Fatal when the record lacks an image that its event name requires. Then the stream's view type is not
    NEW_AND_OLD_IMAGES, and neither a move to another key nor the author of a change could be recognised.
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
        expired=is_expiry(record),
    )


def is_expiry(record: Mapping[str, Any]) -> bool:
    """Whether a record is of a deletion by TTL.

    Source: https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/time-to-live-ttl-streams.html
    """
    # The API reference writes these names in upper camel case, and the guide in lower.
    identity = {name.lower(): value for name, value in (record.get("userIdentity") or {}).items()}
    service = (identity.get("type"), identity.get("principalid")) == ("Service", "dynamodb.amazonaws.com")
    return service and record.get("eventName") == "REMOVE"
