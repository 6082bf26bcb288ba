"""What a table has beside its key and indexes, as values: what DescribeTable says, and what other calls say.

Each fact of another call is ``Unread`` when the call was refused: a permission that is missing hides one fact, and no other.
Fields: https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_TableDescription.html and the answers of the calls that
``table_facts`` makes.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

MANAGED_PREFIX = "aws:"
"""Tags that begin so are AWS's own: nobody else can set them."""
STACK_TAG = "aws:cloudformation:stack-name"
LOGICAL_ID_TAG = "aws:cloudformation:logical-id"


@dataclass(frozen=True, slots=True)
class TableFeatures:
    """What DescribeTable says beside key, indexes and stream."""

    key_arn: str | None
    """The KMS key of its encryption at rest; None: a key that DynamoDB owns."""
    local_indexes: tuple[str, ...]
    deletion_protection: bool
    table_class: str
    """STANDARD or STANDARD_INFREQUENT_ACCESS."""
    replicas: tuple[str, ...]
    """The other regions of a global table."""
    strongly_consistent: bool
    """Whether its replicas have multi-Region strong consistency."""
    warm_reads: int | None
    """Read units a second that it can take at once; None: the server does not say."""
    warm_writes: int | None
    """As ``warm_reads``."""


@dataclass(frozen=True, slots=True)
class Unread:
    """A fact that could not be read: why, and what to do to read it."""

    problem: str
    remedy: str


@dataclass(frozen=True, slots=True)
class Recovery:
    """Point-in-time recovery that is on. ``days`` that it goes back; None: the server's default, 35."""

    days: int | None


@dataclass(frozen=True, slots=True)
class TableFacts:
    """What other calls say of a table. None, or nothing in it: the table has no such thing."""

    recovery: Recovery | Unread | None
    ttl_attribute: str | Unread | None
    tags: Mapping[str, str] | Unread
    key_manager: str | Unread | None
    """AWS or CUSTOMER: who manages ``TableFeatures.key_arn``; None without such a key."""
    policy: bool | Unread
    """Whether a resource policy is attached."""
    kinesis: tuple[str, ...] | Unread
    """ARNs of the Kinesis data streams that get its changes."""
    scaled: tuple[str, ...] | Unread
    """What Application Auto Scaling changes: ``table/NAME`` or ``table/NAME/index/INDEX``, each once."""


@dataclass(frozen=True, slots=True)
class StreamReaders:
    """Who else reads a table's stream, by kind."""

    functions: tuple[str, ...] | Unread
    """ARNs of Lambda functions with an event source mapping."""
    pipes: tuple[str, ...] | Unread
    """Names of EventBridge pipes."""
    lease_tables: tuple[str, ...] | Unread
    """Tables in which a Kinesis Client Library application holds leases of the stream's shards."""


@dataclass(frozen=True, slots=True)
class Warm:
    """Units a second that a table, and each of its indexes, takes at once. None: the default of a new table."""

    reads: int | None = None
    writes: int | None = None


DEFAULT_WARM = Warm(reads=12_000, writes=4_000)
"""Of a new table that is paid per request
(https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/warm-throughput-scenarios.html)."""


@dataclass(frozen=True, slots=True)
class TableExtras:
    """What a new table gets beside key, indexes and stream."""

    key: str | None = None
    """KMS key: an ARN, id or alias, or AWS_KEY; None: a key that DynamoDB owns."""
    recovery: Recovery | None = None
    deletion_protection: bool = False
    tags: Mapping[str, str] = field(default_factory=dict)
    ttl_attribute: str | None = None
    warm: Warm | None = None


AWS_KEY = "aws/dynamodb"
"""The account's key that AWS manages. A new table is not told its ARN
(https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_SSESpecification.html)."""


def extras_request(extras: TableExtras) -> dict[str, Any]:
    """The fields of CreateTable for them. Recovery and time to live have calls of their own, once the table is ACTIVE."""
    request: dict[str, Any] = {}
    if extras.key is not None:
        own = {} if extras.key == AWS_KEY else {"KMSMasterKeyId": extras.key}
        request["SSESpecification"] = {"Enabled": True, "SSEType": "KMS", **own}
    if extras.deletion_protection:
        request["DeletionProtectionEnabled"] = True
    request |= warm_request(extras.warm)
    if extras.tags:
        request["Tags"] = [{"Key": name, "Value": value} for name, value in sorted(extras.tags.items())]
    return request


def warm_request(warm: Warm | None) -> dict[str, Any]:
    """The field of CreateTable, for a table or an index."""
    units = {} if warm is None else {"ReadUnitsPerSecond": warm.reads, "WriteUnitsPerSecond": warm.writes}
    given = {name: value for name, value in units.items() if value is not None}
    return {"WarmThroughput": given} if given else {}


def features_of(table: Mapping[str, Any]) -> TableFeatures:
    """The features in the ``Table`` of a DescribeTable answer."""
    warm = table.get("WarmThroughput") or {}
    own_region = str(table.get("TableArn", "")).split(":")[3:4]
    return TableFeatures(
        key_arn=(table.get("SSEDescription") or {}).get("KMSMasterKeyArn"),
        local_indexes=tuple(index["IndexName"] for index in table.get("LocalSecondaryIndexes") or ()),
        deletion_protection=bool(table.get("DeletionProtectionEnabled")),
        table_class=(table.get("TableClassSummary") or {}).get("TableClass", "STANDARD"),
        replicas=tuple(
            replica["RegionName"] for replica in table.get("Replicas") or () if [replica["RegionName"]] != own_region
        ),
        strongly_consistent=table.get("MultiRegionConsistency") == "STRONG",
        warm_reads=warm.get("ReadUnitsPerSecond"),
        warm_writes=warm.get("WriteUnitsPerSecond"),
    )


def own_tags(tags: Mapping[str, str]) -> dict[str, str]:
    """The tags that may be set on another table: all but AWS's own."""
    return {name: value for name, value in tags.items() if not name.startswith(MANAGED_PREFIX)}
