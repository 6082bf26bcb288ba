"""Stream records as changes."""

from typing import Any

import pytest

from service.core.item.change import parse_record
from service.core.item.stamp import Stamp, encode_stamp
from service.core.item.wire import Item, shown_key
from service.errors import Fatal

KEY: Item = {"pk": {"S": "LEAD#1"}}
IMAGE: Item = {**KEY, "name": {"S": "Ada"}}


def record(event: str, **images: Any) -> dict[str, Any]:
    return {"eventName": event, "dynamodb": {"Keys": KEY, "SequenceNumber": "7", **images}}


def stamped(version: str, *, tombstone: bool = False) -> Item:
    return {**IMAGE, "_sync": encode_stamp(Stamp(version, tombstone=tombstone))}


@pytest.mark.parametrize(
    ("event", "images"),
    [
        ("INSERT", {}),
        ("MODIFY", {"NewImage": IMAGE}),
        ("MODIFY", {"OldImage": IMAGE}),
        ("REMOVE", {}),
        ("REMOVE", {"OldImage": {}}),
    ],
)
def test_a_record_without_its_images_stops_the_lane(event: str, images: dict[str, Any]) -> None:
    with pytest.raises(Fatal) as stopped:
        parse_record(record(event, **images), table="old", shard_id="s")
    assert stopped.value.message == f"stream record 7 of table old ({event}) lacks an image"
    assert "NEW_AND_OLD_IMAGES" in stopped.value.remedy


def test_an_empty_image_is_none() -> None:
    change = parse_record(record("INSERT", NewImage=IMAGE, OldImage={}), table="old", shard_id="s")
    assert (change.old, change.new, change.sequence) == (None, IMAGE, "7")


@pytest.mark.parametrize(
    ("event", "identity", "expired"),
    [
        ("REMOVE", {"PrincipalId": "dynamodb.amazonaws.com", "Type": "Service"}, True),
        ("REMOVE", {"principalId": "dynamodb.amazonaws.com", "type": "Service"}, True),
        ("REMOVE", {"PrincipalId": "replication.dynamodb.amazonaws.com", "Type": "Service"}, False),
        ("REMOVE", None, False),
        ("MODIFY", {"PrincipalId": "dynamodb.amazonaws.com", "Type": "Service"}, False),
    ],
)
def test_a_deletion_by_ttl_is_told_from_the_applications(
    event: str, identity: dict[str, str] | None, expired: bool
) -> None:
    images = {"OldImage": {"pk": {"S": "1"}}, **({"NewImage": {"pk": {"S": "1"}}} if event == "MODIFY" else {})}
    content = {"Keys": {"pk": {"S": "1"}}, "SequenceNumber": "7", **images}
    record = {"eventName": event, "dynamodb": content, **({"userIdentity": identity} if identity else {})}
    assert parse_record(record, table="t", shard_id="s").expired is expired


def test_a_key_is_shown_in_the_order_of_its_names_whatever_the_order_in_the_record() -> None:
    given = {"sk": {"S": "METADATA"}, "pk": {"S": "LEAD#7"}}
    assert shown_key(given) == "pk=LEAD#7 sk=METADATA"
