"""Retries of writes that meet another instance's: its change of the same record, or its transaction, which moves a record.

DynamoDB refuses a write while a transaction is on the same item, and botocore does not retry that. tablesplit makes none there.
"""

from collections.abc import Callable
from typing import Any, TypeVar

from botocore.exceptions import ClientError
from tenacity import Retrying, retry_if_exception, stop_after_delay, wait_random_exponential

T = TypeVar("T")

DEADLINE_SECONDS = 5.0
FIRST_WAIT_SECONDS = 0.02
LONGEST_WAIT_SECONDS = 0.5


class Contended(RuntimeError):
    """The record was changed between the read and the write."""


def conflicts_with_transaction(error: BaseException) -> bool:
    """Whether a write was refused because a transaction on the same item was under way. Then nothing was written."""
    if not isinstance(error, ClientError):
        return False
    if error.response["Error"]["Code"] == "TransactionConflictException":
        return True
    return cancelled_by(error) == {"TransactionConflict"}


def cancelled_by(error: ClientError) -> set[str]:
    """The codes for which DynamoDB cancelled a transaction; none for another error."""
    reasons: list[dict[str, Any]] = error.response.get("CancellationReasons", [])
    return {reason.get("Code", "None") for reason in reasons} - {"None"}


def patiently(write: Callable[..., T], deadline_seconds: float = DEADLINE_SECONDS) -> Callable[..., T]:
    """Wrap ``write``: retry it with jitter, until the deadline, while it conflicts with a transaction or raises Contended."""

    def attempt(*arguments: Any, **request: Any) -> T:
        retrying = Retrying(
            retry=retry_if_exception(lambda error: isinstance(error, Contended) or conflicts_with_transaction(error)),
            wait=wait_random_exponential(multiplier=FIRST_WAIT_SECONDS, max=LONGEST_WAIT_SECONDS),
            stop=stop_after_delay(deadline_seconds),
            reraise=True,
        )
        return retrying(write, *arguments, **request)

    return attempt


class PatientTable:
    """A boto3 Table whose single writes wait until a transaction on the same item has ended."""

    def __init__(self, table: Any, deadline_seconds: float = DEADLINE_SECONDS) -> None:
        self.put_item = patiently(table.put_item, deadline_seconds)
        self.update_item = patiently(table.update_item, deadline_seconds)
        self.delete_item = patiently(table.delete_item, deadline_seconds)
        self.get_item, self.query, self.scan = table.get_item, table.query, table.scan
