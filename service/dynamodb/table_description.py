"""Tables as the control plane describes them, and as it is asked to make them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

KeyNames = tuple[str, str | None]
"""Names of the partition key and, if there is one, of the sort key."""

STREAM_VIEW_TYPE = "NEW_AND_OLD_IMAGES"


@dataclass(frozen=True, slots=True)
class IndexDescription:
    """A global secondary index. ``projection`` is ALL, KEYS_ONLY or INCLUDE; ``status`` as for a table."""

    key: KeyNames
    projection: str
    status: str


@dataclass(frozen=True, slots=True)
class TableDescription:
    """DescribeTable's answer.

    status: CREATING, UPDATING, DELETING, ACTIVE, ...
    attribute_types: S, N or B of every key and index attribute.
    stream_arn: of the latest stream, which may be disabled; stream_view_type: None unless it is enabled now.
    billing: PAY_PER_REQUEST or PROVISIONED.
    item_count, size_bytes: DynamoDB's own figures, up to six hours old.
    """

    name: str
    arn: str
    status: str
    key: KeyNames
    attribute_types: Mapping[str, str]
    indexes: Mapping[str, IndexDescription]
    stream_arn: str | None
    stream_view_type: str | None
    billing: str
    item_count: int
    size_bytes: int
    read_units: int
    write_units: int


@dataclass(frozen=True, slots=True)
class NewTable:
    """A table to be made: keys and indexes of type string, paid per request. ``projection``: of its indexes.

    ``stream`` asks for a stream of new and old images.
    """

    name: str
    key: KeyNames
    indexes: Mapping[str, KeyNames] = field(default_factory=dict)
    stream: bool = True
    projection: str = "ALL"


@dataclass(frozen=True, slots=True)
class Identity:
    """Who the requests are signed by: account and ARN, or ``local`` for both on a local server."""

    account: str
    arn: str


def table_description(table: Mapping[str, Any]) -> TableDescription:
    """Out of the ``Table`` of a DescribeTable answer."""
    stream = table.get("StreamSpecification") or {}
    throughput = table.get("ProvisionedThroughput") or {}
    return TableDescription(
        name=table["TableName"],
        arn=table["TableArn"],
        status=table["TableStatus"],
        key=_key_names(table["KeySchema"]),
        attribute_types={a["AttributeName"]: a["AttributeType"] for a in table["AttributeDefinitions"]},
        indexes={index["IndexName"]: _index(index) for index in table.get("GlobalSecondaryIndexes", ())},
        stream_arn=table.get("LatestStreamArn"),
        stream_view_type=stream.get("StreamViewType") if stream.get("StreamEnabled") else None,
        billing=(table.get("BillingModeSummary") or {}).get("BillingMode", "PROVISIONED"),
        item_count=table.get("ItemCount", 0),
        size_bytes=table.get("TableSizeBytes", 0),
        read_units=throughput.get("ReadCapacityUnits", 0),
        write_units=throughput.get("WriteCapacityUnits", 0),
    )


def create_table_request(table: NewTable) -> dict[str, Any]:
    """The fields of CreateTable."""
    keys = [table.key, *table.indexes.values()]
    names = sorted({name for key in keys for name in key if name is not None})
    request: dict[str, Any] = {
        "TableName": table.name,
        "KeySchema": _key_schema(table.key),
        "AttributeDefinitions": [{"AttributeName": name, "AttributeType": "S"} for name in names],
        "BillingMode": "PAY_PER_REQUEST",
    }
    if table.indexes:
        request["GlobalSecondaryIndexes"] = [
            _new_index(name, key, table.projection) for name, key in table.indexes.items()
        ]
    if table.stream:
        request["StreamSpecification"] = {"StreamEnabled": True, "StreamViewType": STREAM_VIEW_TYPE}
    return request


def _index(index: Mapping[str, Any]) -> IndexDescription:
    return IndexDescription(
        key=_key_names(index["KeySchema"]),
        projection=index["Projection"]["ProjectionType"],
        status=index.get("IndexStatus", "ACTIVE"),
    )


def _new_index(name: str, key: KeyNames, projection: str) -> dict[str, Any]:
    return {"IndexName": name, "KeySchema": _key_schema(key), "Projection": {"ProjectionType": projection}}


def _key_names(schema: Sequence[Mapping[str, str]]) -> KeyNames:
    by_role = {element["KeyType"]: element["AttributeName"] for element in schema}
    return by_role["HASH"], by_role.get("RANGE")


def _key_schema(key: KeyNames) -> list[dict[str, str]]:
    partition, sort = key
    schema = [{"AttributeName": partition, "KeyType": "HASH"}]
    if sort is not None:
        schema.append({"AttributeName": sort, "KeyType": "RANGE"})
    return schema
