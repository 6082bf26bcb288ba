"""Reads what DescribeTable does not say of a table. Every call only reads; one that is refused makes an ``Unread``.

Calls block: async callers use ``asyncio.to_thread``. A local server has no key service, no Kinesis, no Lambda, no pipes and no
scaling: these are asked there only where the environment or the profile names an endpoint for them (``AWS_ENDPOINT_URL_LAMBDA``).
"""

from collections.abc import Callable, Iterator
from typing import Any, TypeVar

from service.aws_profile import service_endpoint
from service.dynamodb.control_plane import ControlPlane
from service.dynamodb.table_description import TableDescription
from service.dynamodb.table_features import Recovery, TableFacts, Unread
from service.errors import TablesplitError

PAGES = 20
"""Pages of one list that are read at most: more than any table's readers or an account's 2,500 tables take."""

Fact = TypeVar("Fact")


def read_facts(plane: ControlPlane, table: TableDescription) -> TableFacts:
    """The facts of ``table``, one call each."""
    return TableFacts(
        recovery=_read(lambda: recovery_of(plane, table.name)),
        ttl_attribute=_read(lambda: ttl_of(plane, table.name)),
        tags=_read(lambda: tags_of(plane, table)),
        key_manager=_read(lambda: _key_manager(plane, table)),
        policy=_read(lambda: _has_policy(plane, table)),
        kinesis=_read(lambda: _kinesis_streams(plane, table.name)),
        scaled=_read(lambda: _scaled(plane, table)),
    )


def read_stream_readers(
    plane: ControlPlane, stream_arn: str
) -> tuple[tuple[str, ...] | Unread, tuple[str, ...] | Unread]:
    """ARNs of the Lambda functions, and names of the EventBridge pipes, that read the stream."""
    return _read(lambda: _functions(plane, stream_arn)), _read(lambda: _pipes(plane, stream_arn))


def recovery_of(plane: ControlPlane, name: str) -> Recovery | None:
    """The table's point-in-time recovery; None: it is off. Raises as ``ControlPlane.ask``."""
    answer = plane.ask("dynamodb", "describe_continuous_backups", name, {"TableName": name})
    found = (answer.get("ContinuousBackupsDescription") or {}).get("PointInTimeRecoveryDescription") or {}
    on = found.get("PointInTimeRecoveryStatus") == "ENABLED"
    return Recovery(found.get("RecoveryPeriodInDays")) if on else None


def ttl_of(plane: ControlPlane, name: str) -> str | None:
    """The attribute by which the table's items expire; None: none do. Raises as ``ControlPlane.ask``."""
    answer = plane.ask("dynamodb", "describe_time_to_live", name, {"TableName": name})
    found = answer.get("TimeToLiveDescription") or {}
    attribute: str | None = found.get("AttributeName")
    return attribute if found.get("TimeToLiveStatus") in ("ENABLED", "ENABLING") else None


def tags_of(plane: ControlPlane, table: TableDescription) -> dict[str, str]:
    """The table's tags. Raises as ``ControlPlane.ask``."""
    pages = _pages(plane, "dynamodb", "list_tags_of_resource", table.name, {"ResourceArn": table.arn}, "NextToken")
    return {tag["Key"]: tag["Value"] for page in pages for tag in page.get("Tags", ())}


def table_names(plane: ControlPlane) -> list[str]:
    """The names of the account's tables in this region, 2,000 at most. Raises as ``ControlPlane.ask``."""
    names: list[str] = []
    request: dict[str, Any] = {}
    for _ in range(PAGES):
        answer = plane.ask("dynamodb", "list_tables", "the region", request)
        names += answer.get("TableNames", ())
        request = {"ExclusiveStartTableName": answer.get("LastEvaluatedTableName")}
        if request["ExclusiveStartTableName"] is None:
            break
    return names


def _read(read: Callable[[], Fact]) -> Fact | Unread:
    try:
        return read()
    except TablesplitError as refused:
        return Unread(refused.message, refused.remedy)


def _key_manager(plane: ControlPlane, table: TableDescription) -> str | None:
    key = table.features.key_arn
    if key is None or not _is_there(plane, "kms"):
        return None
    return str(plane.ask("kms", "describe_key", key, {"KeyId": key})["KeyMetadata"]["KeyManager"])


def _has_policy(plane: ControlPlane, table: TableDescription) -> bool:
    answer = plane.ask(
        "dynamodb", "get_resource_policy", table.name, {"ResourceArn": table.arn}, none=("PolicyNotFound",)
    )
    return "Policy" in answer


def _kinesis_streams(plane: ControlPlane, name: str) -> tuple[str, ...]:
    if not _is_there(plane, "kinesis"):
        return ()
    answer = plane.ask("dynamodb", "describe_kinesis_streaming_destination", name, {"TableName": name})
    found = answer.get("KinesisDataStreamDestinations", ())
    return tuple(
        one["StreamArn"] for one in found if one.get("DestinationStatus") in ("ENABLING", "ACTIVE", "UPDATING")
    )


def _scaled(plane: ControlPlane, table: TableDescription) -> tuple[str, ...]:
    if table.billing != "PROVISIONED" or not _is_there(plane, "application-autoscaling"):
        return ()
    resources = [f"table/{table.name}", *(f"table/{table.name}/index/{index}" for index in table.indexes)]
    request = {"ServiceNamespace": "dynamodb", "ResourceIds": resources}
    pages = _pages(plane, "application-autoscaling", "describe_scalable_targets", table.name, request, "NextToken")
    return tuple(sorted({target["ResourceId"] for page in pages for target in page.get("ScalableTargets", ())}))


def _functions(plane: ControlPlane, stream_arn: str) -> tuple[str, ...]:
    if not _is_there(plane, "lambda"):
        return ()
    pages = _pages(
        plane,
        "lambda",
        "list_event_source_mappings",
        stream_arn,
        {"EventSourceArn": stream_arn},
        "NextMarker",
        "Marker",
    )
    return tuple(one["FunctionArn"] for page in pages for one in page.get("EventSourceMappings", ()))


def _pipes(plane: ControlPlane, stream_arn: str) -> tuple[str, ...]:
    if not _is_there(plane, "pipes"):
        return ()
    pages = _pages(plane, "pipes", "list_pipes", stream_arn, {"SourcePrefix": stream_arn}, "NextToken")
    return tuple(one["Name"] for page in pages for one in page.get("Pipes", ()))


def _pages(
    plane: ControlPlane, service: str, method: str, subject: str, request: dict[str, Any], last: str, start: str = ""
) -> Iterator[dict[str, Any]]:
    """The pages of a list. ``last``: the answer's token of the next page; ``start``: the request's, if it has another name."""
    for _ in range(PAGES):
        answer = plane.ask(service, method, subject, request)
        yield answer
        if not answer.get(last):
            return
        request = {**request, start or last: answer[last]}


def _is_there(plane: ControlPlane, service: str) -> bool:
    return not plane.local or service_endpoint(service) is not None
