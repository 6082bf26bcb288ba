"""What the metrics are told of each request: how it ended, how long it took, what it consumed."""

from collections.abc import Iterator
from typing import Any, Protocol

from service.dynamodb.error_answers import CONFLICTS, THROTTLING, plain_code
from service.errors import ConditionRefusedError, Retryable, TablesplitError, Throttled
from service.metrics import CapacityKind, Result
from service.retry import RetryCounter

MEASURED = {"ReturnConsumedCapacity": "TOTAL"}
"""What a request says to be told the units it consumed. It costs no units."""

FAILURES: tuple[type[Exception], ...] = (TablesplitError, ConditionRefusedError)
"""The errors that an attempt ends with."""

WRITES = frozenset({"BatchExecuteStatement", "DeleteItem", "PutItem", "TransactWriteItems", "UpdateItem"})
_BY_REASON: dict[str, Result] = {"transaction_conflict": "conflict", "timeout": "timeout"}


class Meter(RetryCounter, Protocol):
    """What the metrics are to the data plane."""

    def count_request(self, operation: str, result: Result, seconds: float) -> None:
        """One attempt has ended, ``seconds`` after it was sent."""

    def count_units(self, table: str, kind: CapacityKind, units: float) -> None:
        """An answer says that so many capacity units were consumed."""


def count_answer(meter: Meter, operation: str, answer: dict[str, Any], seconds: float) -> None:
    """Count an attempt that was answered."""
    meter.count_request(operation, _answered(operation, answer), seconds)
    kind: CapacityKind = "write" if operation in WRITES else "read"
    for table, units in _consumed(answer):
        meter.count_units(table, kind, units)


def failed(error: Exception) -> Result:
    """How an attempt has ended that raised one of FAILURES."""
    match error:
        case ConditionRefusedError():
            return "condition"
        case Throttled():
            return "throttled"
        case Retryable():
            return _BY_REASON.get(error.reason, "error")
    return "error"


def _answered(operation: str, answer: dict[str, Any]) -> Result:
    """A batch that was answered may have been throttled all the same: in part, or without any progress."""
    if operation == "BatchExecuteStatement":
        codes = {plain_code(one["Error"].get("Code", "")) for one in answer["Responses"] if "Error" in one}
        return "throttled" if codes & THROTTLING else "conflict" if codes & CONFLICTS else "ok"
    if operation == "BatchGetItem" and answer.get("UnprocessedKeys") and not any(answer["Responses"].values()):
        return "throttled"
    return "ok"


def _consumed(answer: dict[str, Any]) -> Iterator[tuple[str, float]]:
    """Tables and units; the batches and transactions tell them for each of their tables."""
    told = answer.get("ConsumedCapacity") or ()
    for one in [told] if isinstance(told, dict) else told:
        yield one["TableName"], one.get("CapacityUnits", 0.0)
