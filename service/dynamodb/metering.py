"""Counts each request for the metrics: its result, its duration, the capacity units that it consumed."""

from collections.abc import Iterator
from typing import Any, Protocol

from service.dynamodb.error_answers import CONFLICTS, REPLICA_CONFLICTS, plain_code
from service.dynamodb.throttling import THROTTLING
from service.errors import ConditionRefusedError, Retryable, TablesplitError, Throttled
from service.retry import RetryCounter
from service.telemetry.metrics import CapacityKind, Result

MEASURED = {"ReturnConsumedCapacity": "TOTAL"}
"""The request field that makes an answer report the units it consumed. It costs no units."""

FAILURES: tuple[type[Exception], ...] = (TablesplitError, ConditionRefusedError)
"""The errors that an attempt can end with."""

WRITES = frozenset({"BatchExecuteStatement", "DeleteItem", "PutItem", "TransactWriteItems", "UpdateItem"})
_BY_REASON: dict[str, Result] = {
    "transaction_conflict": "conflict",
    "replica_conflict": "conflict",
    "timeout": "timeout",
}


class Meter(RetryCounter, Protocol):
    """The metrics of the data plane."""

    def count_request(self, operation: str, result: Result, seconds: float) -> None:
        """One attempt has ended, ``seconds`` after it was sent."""

    def count_units(self, table: str, kind: CapacityKind, units: float) -> None:
        """An answer reports ``units`` consumed capacity units."""


def count_answer(meter: Meter, operation: str, answer: dict[str, Any], seconds: float) -> None:
    """Count an attempt that got an answer, and the units in it."""
    meter.count_request(operation, _result_of(operation, answer), seconds)
    kind: CapacityKind = "write" if operation in WRITES else "read"
    for table, units in _consumed(answer):
        meter.count_units(table, kind, units)


def failed(error: Exception) -> Result:
    """The result of an attempt that raised one of FAILURES."""
    match error:
        case ConditionRefusedError():
            return "condition"
        case Throttled():
            return "throttled"
        case Retryable():
            return _BY_REASON.get(error.reason, "error")
    return "error"


def _result_of(operation: str, answer: dict[str, Any]) -> Result:
    """The result of an attempt that got an answer. A batch may still have been throttled, in part or as a whole."""
    if operation == "BatchExecuteStatement":
        errors = [response["Error"] for response in answer["Responses"] if "Error" in response]
        codes = {plain_code(error.get("Code", "")) for error in errors}
        return "throttled" if codes & THROTTLING else "conflict" if codes & (CONFLICTS | REPLICA_CONFLICTS) else "ok"
    if operation == "BatchGetItem" and answer.get("UnprocessedKeys") and not any(answer["Responses"].values()):
        return "throttled"
    return "ok"


def _consumed(answer: dict[str, Any]) -> Iterator[tuple[str, float]]:
    """Tables and units. Batches and transactions report a list, with one entry for each of their tables."""
    reported = answer.get("ConsumedCapacity") or ()
    for capacity in [reported] if isinstance(reported, dict) else reported:
        yield capacity["TableName"], capacity.get("CapacityUnits", 0.0)
