"""Tables as values: as DescribeTable describes them, and as CreateTable creates them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from service.dynamodb.table_features import TableExtras, TableFeatures, extras_request, features_of, warm_request

KeyNames = tuple[str, str | None]
"""The names of the partition key and of the sort key (None: there is no sort key)."""

IndexNames = tuple[str | tuple[str, ...], str | tuple[str, ...] | None]
"""The same of an index. Where a key has several attributes it is the tuple of their names, in order."""

STREAM_VIEW_TYPE = "NEW_AND_OLD_IMAGES"


Projection = tuple[str, ...] | None
"""The attributes that an index has beside the keys; None: all."""


@dataclass(frozen=True, slots=True)
class IndexDescription:
    """A global secondary index. ``status`` is as for a table."""

    key: IndexNames
    projection: Projection
    status: str


@dataclass(frozen=True, slots=True)
class TableDescription:
    """The answer of DescribeTable."""

    name: str
    arn: str
    status: str
    """CREATING, UPDATING, DELETING, ACTIVE, ..."""
    key: KeyNames
    attribute_types: Mapping[str, str]
    """S, N or B, for every attribute of the key and the indexes."""
    indexes: Mapping[str, IndexDescription]
    stream_arn: str | None
    """Of the latest stream, which may be disabled."""
    stream_view_type: str | None
    """None unless the stream is enabled now."""
    billing: str
    """PAY_PER_REQUEST or PROVISIONED."""
    item_count: int
    """DynamoDB's own figure, up to six hours old."""
    size_bytes: int
    """DynamoDB's own figure, up to six hours old."""
    read_units: int
    """Provisioned capacity units a second; 0 when paid per request."""
    write_units: int
    """As ``read_units``."""
    features: TableFeatures
    """What it has beside key, indexes and stream."""
    table_id: str = ""
    """Differs between two tables that had the same name one after the other: TableId, or the time at which it was made where the
    server gives none (DynamoDB Local)."""


@dataclass(frozen=True, slots=True)
class NewTable:
    """A table to create, paid per request."""

    name: str
    key: KeyNames
    indexes: Mapping[str, IndexNames] = field(default_factory=dict)
    stream: bool = True
    """Whether it gets a stream of new and old images."""
    projections: Mapping[str, Projection] = field(default_factory=dict)
    """Of its indexes, where it is not None."""
    extras: TableExtras = field(default_factory=TableExtras)
    key_types: Mapping[str, str] = field(default_factory=dict)
    """N or B, of the attributes of key and indexes that are not of type S."""

    def type_of(self, name: str) -> str:
        """S, N or B: the type of an attribute of key or index."""
        return self.key_types.get(name, "S")


@dataclass(frozen=True, slots=True)
class Identity:
    """The identity that signs the requests: account and ARN; both ``local`` on a local server."""

    account: str
    arn: str


def table_description(table: Mapping[str, Any]) -> TableDescription:
    """The description in the ``Table`` of a DescribeTable answer. Raises KeyError when a required field is missing."""
    stream = table.get("StreamSpecification") or {}
    throughput = table.get("ProvisionedThroughput") or {}
    return TableDescription(
        name=table["TableName"],
        arn=table["TableArn"],
        status=table["TableStatus"],
        key=_key_names(table["KeySchema"]),
        attribute_types={
            attribute["AttributeName"]: attribute["AttributeType"] for attribute in table["AttributeDefinitions"]
        },
        indexes={index["IndexName"]: _index(index) for index in table.get("GlobalSecondaryIndexes", ())},
        stream_arn=table.get("LatestStreamArn"),
        stream_view_type=stream.get("StreamViewType") if stream.get("StreamEnabled") else None,
        billing=(table.get("BillingModeSummary") or {}).get("BillingMode", "PROVISIONED"),
        item_count=table.get("ItemCount", 0),
        size_bytes=table.get("TableSizeBytes", 0),
        read_units=throughput.get("ReadCapacityUnits", 0),
        write_units=throughput.get("WriteCapacityUnits", 0),
        features=features_of(table),
        table_id=table.get("TableId") or _made_at(table),
    )


def account_of(arn: str) -> str | None:
    """The account in the ARN of a table or stream, ``arn:aws:dynamodb:REGION:ACCOUNT:table/NAME``; None: there is none in it.

    https://docs.aws.amazon.com/IAM/latest/UserGuide/reference-arns.html
    """
    parts = arn.split(":", 5)
    return (parts[4] or None) if len(parts) == 6 else None


def _made_at(table: Mapping[str, Any]) -> str:
    made = table.get("CreationDateTime")  # in the time zone of this machine
    return f"made at {made.timestamp()}" if isinstance(made, datetime) else ""


def create_table_request(table: NewTable) -> dict[str, Any]:
    """The request fields of CreateTable."""
    keys = [table.key, *table.indexes.values()]
    names = sorted({name for key in keys for name in attribute_names(key)})
    request: dict[str, Any] = {
        "TableName": table.name,
        "KeySchema": _key_schema(table.key),
        "AttributeDefinitions": [{"AttributeName": name, "AttributeType": table.type_of(name)} for name in names],
        "BillingMode": "PAY_PER_REQUEST",
    }
    if table.indexes:
        request["GlobalSecondaryIndexes"] = [
            {**_new_index(name, key, table.projections.get(name)), **warm_request(table.extras.warm)}
            for name, key in table.indexes.items()
        ]
    if table.stream:
        request["StreamSpecification"] = {"StreamEnabled": True, "StreamViewType": STREAM_VIEW_TYPE}
    return {**request, **extras_request(table.extras)}


def _index(index: Mapping[str, Any]) -> IndexDescription:
    return IndexDescription(
        key=_index_names(index["KeySchema"]),
        projection=_projected(index["Projection"]),
        status=index.get("IndexStatus", "ACTIVE"),
    )


def _projected(projection: Mapping[str, Any]) -> Projection:
    if projection["ProjectionType"] == "ALL":
        return None
    return tuple(sorted(projection.get("NonKeyAttributes", ())))


def _new_index(name: str, key: IndexNames, projection: Projection) -> dict[str, Any]:
    request: dict[str, Any] = {"ProjectionType": "ALL" if projection is None else "KEYS_ONLY"}
    if projection:
        request = {"ProjectionType": "INCLUDE", "NonKeyAttributes": sorted(projection)}
    return {"IndexName": name, "KeySchema": _key_schema(key), "Projection": request}


def projection_text(projection: Projection) -> str:
    """ALL, KEYS_ONLY, or the names of the attributes."""
    if projection is None:
        return "ALL"
    return ", ".join(sorted(projection)) or "KEYS_ONLY"


def _key_names(schema: Sequence[Mapping[str, str]]) -> KeyNames:
    by_role = {element["KeyType"]: element["AttributeName"] for element in schema}
    return by_role["HASH"], by_role.get("RANGE")


def attribute_names(key: IndexNames) -> tuple[str, ...]:
    """All attributes of a key, those of the partition key first."""
    return tuple(name for part in key for name in _parts(part))


def index_names(partition: Sequence[str], sort: Sequence[str]) -> IndexNames:
    """The key with these attributes."""
    return partition[0] if len(partition) == 1 else tuple(partition), _sort_part(sort)


def _sort_part(sort: Sequence[str]) -> str | tuple[str, ...] | None:
    return tuple(sort) if len(sort) > 1 else next(iter(sort), None)


def _parts(part: str | tuple[str, ...] | None) -> tuple[str, ...]:
    if part is None:
        return ()
    return (part,) if isinstance(part, str) else part


def _index_names(schema: Sequence[Mapping[str, str]]) -> IndexNames:
    by_role: dict[str, list[str]] = {"HASH": [], "RANGE": []}
    for element in schema:
        by_role[element["KeyType"]].append(element["AttributeName"])
    return index_names(by_role["HASH"], by_role["RANGE"])


def _key_schema(key: IndexNames) -> list[dict[str, str]]:
    roles = zip(("HASH", "RANGE"), key, strict=True)
    return [{"AttributeName": name, "KeyType": role} for role, part in roles for name in _parts(part)]
