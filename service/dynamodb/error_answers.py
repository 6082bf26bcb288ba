"""From an error answer of DynamoDB, a code and a message, to our error: one line, and what to do.

``throttling`` and ``refusals`` know what throttles, and what a policy, a key or a quota refuses.
Codes: https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Programming.Errors.html, the Streams API reference,
BatchStatementError and CancellationReason. They spell the same error differently (``ThrottlingException``, ``ThrottlingError``),
so codes are compared without the suffix.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from service.dynamodb.network import PROXY_LOGIN, proxy_error
from service.dynamodb.refusals import account_refusal, denied, key_refusal, quota_refusal, value_refusal
from service.dynamodb.throttling import READERS, THROTTLING, throttled
from service.errors import (
    GAP_REMEDY,
    REFUSED,
    ConditionRefusedError,
    CredentialsExpired,
    Fatal,
    IteratorExpired,
    Misconfigured,
    Poison,
    Retryable,
    StreamGone,
    TableMissing,
    TablesplitError,
    Throttled,
    Trimmed,
)

CONFLICTS = frozenset({"TransactionConflict", "TransactionInProgress"})
REPLICA_CONFLICTS = frozenset({"ReplicatedWriteConflict"})
SERVER_ERRORS = frozenset(
    {
        "Internal",
        "InternalFailure",
        "InternalServer",
        "PriorRequestNotComplete",
        "RequestTimeout",
        "ServiceUnavailable",
    }
)
ITEM_REFUSED = frozenset({"Validation", "ItemCollectionSizeLimitExceeded", "RequestEntityTooLarge"})
EXPIRED_CREDENTIALS = frozenset({"ExpiredToken"})
_OLD_SESSION = "included in the request is expired"
WRONG_CLOCK = frozenset({"RequestExpired", "RequestTimeTooSkewed"})
NO_PERMISSION = frozenset({"AccessDenied", "NotAuthorized"})
WRONG_CREDENTIALS = frozenset(
    {
        "UnrecognizedClient",
        "InvalidSignature",
        "SignatureDoesNotMatch",
        "IncompleteSignature",
        "InvalidClientTokenId",
        "MissingAuthenticationToken",
        "MissingAuthenticationTokenEx",
    }
)
ITEM_OPERATIONS = frozenset(
    {
        "PutItem",
        "DeleteItem",
        "GetItem",
        "BatchGetItem",
        "TransactWriteItems",
        "UpdateItem",
        "BatchExecuteStatement",
    }
)
STREAM_OPERATIONS = frozenset({"DescribeStream", "GetShardIterator", "GetRecords"})
TABLE_CHANGES = frozenset({"DeleteTable", "UpdateTable"})

ITEM_REMEDY = (
    "correct the item or the mapping; of the control table: TABLESPLIT_CONTROL_TABLE must name one that tablesplit made"
)
"""What the operator does about a request on one item that DynamoDB calls invalid."""

REQUEST_TIMEOUT, TOO_MANY_REQUESTS = 408, 429
NO_DETAILS: Mapping[str, Any] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Call:
    """A request, for error messages."""

    operation: str
    subject: str
    """The table, stream or shard that it concerns."""
    endpoint: str
    region: str

    def __str__(self) -> str:
        return f"{self.operation} on {self.subject}"


def error_of(call: Call, status: int, answer: Mapping[str, Any], header: str = "") -> Exception:
    """The error for an answer with a status other than 200. ``header``: its x-amzn-ErrorType, which counts when the content has
    no code."""
    code = bare_code(str(answer.get("__type") or header))
    message = str(answer.get("message") or answer.get("Message") or "")
    if plain_code(code) == "TransactionCanceled":
        return cancelled(call, answer.get("CancellationReasons") or [], message)
    return coded_error(call, code or f"HTTP status {status}", message, status, answer)


def coded_error(
    call: Call, code: str, message: str, status: int = 400, answer: Mapping[str, Any] = NO_DETAILS
) -> Exception:
    """The error for the code of an answer, of one statement in a batch, or of one item in a transaction.

    ``answer``: all of the answer, for its reasons.
    """
    plain = plain_code(code)
    if plain == "ConditionalCheckFailed":
        return ConditionRefusedError()
    if status == PROXY_LOGIN:
        return proxy_error(call, call.endpoint, status)
    if (key := key_refusal(call, message)) is not None and (status < 500 or isinstance(key, Retryable)):
        return key
    if plain in THROTTLING or status == TOO_MANY_REQUESTS:
        return _limit_error(call, plain, code, message, answer)
    return _passing_error(call, plain, code, message, status) or _lasting_error(call, plain, code, message)


def _passing_error(call: Call, plain: str, code: str, message: str, status: int) -> Retryable | None:
    if plain in CONFLICTS:
        return Retryable(f"{call}: another transaction is using the item ({code})", reason="transaction_conflict")
    if plain in REPLICA_CONFLICTS:
        return Retryable(f"{call}: another region is writing the item ({code})", reason="replica_conflict")
    if plain in SERVER_ERRORS or status >= 500 or status == REQUEST_TIMEOUT:
        return Retryable(f"{call}: {call.endpoint} answered {code}: {_short(message)}", reason="server_error")
    if plain == "ResourceInUse" and call.operation in TABLE_CHANGES and "being" in message:  # created, updated, deleted
        return Retryable(
            f"{call}: the table is being changed by somebody else: {_short(message)}",
            reason="table_in_use",
            remedy="run the same command again once the table is ACTIVE",
        )
    return None


def _limit_error(call: Call, plain: str, code: str, message: str, answer: Mapping[str, Any]) -> TablesplitError:
    if plain != "LimitExceeded":
        return throttled(call, code, answer)
    if call.operation in STREAM_OPERATIONS:
        return Throttled(f"{call}: throttled by DynamoDB ({code})", remedy=READERS)
    quota = quota_refusal(call, message)
    if quota is not None:
        return quota
    said = f": {_short(message)}" if message else ""
    return Throttled(f"{call}: throttled by DynamoDB ({code}{said})")


def cancelled(call: Call, reasons: Sequence[Mapping[str, Any]], message: str) -> Exception:
    """The error for a cancelled transaction, from the reason of each of its items.

    An error that lasts comes first, because a retry cannot help. Then a temporary one: another writer interfered while the
    conditions were checked, so the retried transaction gets a clear answer. "Refused" is the answer only when there are refused
    conditions and nothing else.
    """
    errors = [
        coded_error(call, str(reason["Code"]), str(reason.get("Message") or ""))
        for reason in reasons
        if reason.get("Code", "None") != "None"
    ]
    lasting = [error for error in errors if not isinstance(error, Retryable | ConditionRefusedError)]
    temporary = [error for error in errors if isinstance(error, Retryable)]
    for error in (*lasting, *temporary, *errors):
        return error
    return Retryable(f"{call}: cancelled without a reason: {_short(message)}", reason="transaction_conflict")


def _lasting_error(call: Call, plain: str, code: str, message: str) -> TablesplitError:
    if (refused := _caller_refusal(call, plain, code, message)) is not None:
        return refused
    if call.operation in STREAM_OPERATIONS:
        return _stream_error(call, plain, code, message)
    if plain == "ResourceNotFound":
        return TableMissing(
            f"table {call.subject} was not found in region {call.region} at {call.endpoint}",
            remedy="check AWS_REGION and the table names, or run `tablesplit create-tables`",
        )
    if plain in ITEM_REFUSED and call.operation in ITEM_OPERATIONS:
        said = _short(message) or f"it does not say why ({code})"
        return Poison(f"{call}: DynamoDB refuses the item: {said}", reason=REFUSED, remedy=ITEM_REMEDY)
    if plain == "Validation" and (value := value_refusal(call, message)) is not None:
        return value
    return _unknown_error(call, code, message)


def _caller_refusal(call: Call, plain: str, code: str, message: str) -> TablesplitError | None:
    """The error for a request that was refused for who sent it, and when; None for another one."""
    if plain in EXPIRED_CREDENTIALS or (plain in WRONG_CREDENTIALS and _OLD_SESSION in message):
        return CredentialsExpired(f"{call}: {_short(message)}")
    if is_clock_refused(plain, message):
        return clock_error(call, message or code)
    if plain in WRONG_CREDENTIALS:
        return _credentials_error(call, code)
    if plain in NO_PERMISSION:
        return denied(call, call.operation, call.subject, message)
    return account_refusal(call, plain, code, call.region)


def _stream_error(call: Call, plain: str, code: str, message: str) -> TablesplitError:
    if plain == "ExpiredIterator":
        return IteratorExpired(f"{call}: the shard iterator has expired")
    if plain == "TrimmedDataAccess":
        return Trimmed(
            f"stream {call.subject}: records that were not read yet are gone (older than 24 hours)",
            remedy=GAP_REMEDY,
        )
    if plain == "ResourceNotFound":
        return StreamGone(
            f"stream {call.subject}: {_short(message)}",
            remedy=GAP_REMEDY,
        )
    return _unknown_error(call, code, message)


def is_clock_refused(plain: str, message: str) -> bool:
    """Whether a request is refused for the time of its signature. ``plain``: the code without its suffix."""
    return plain in WRONG_CLOCK or (
        plain in WRONG_CREDENTIALS and ("expired" in message or "not yet current" in message)
    )


def clock_error(call: object, message: str) -> Misconfigured:
    """The error for a request whose signature is too old, or from the future."""
    return Misconfigured(
        f"{call}: the signature's time was refused: {_short(message)}",
        remedy="set this machine's clock (NTP)",
    )


def _credentials_error(call: Call, code: str) -> Misconfigured:
    return Misconfigured(
        f"{call}: {call.endpoint} refuses the AWS credentials ({code})",
        remedy=f"check AWS_PROFILE, or the key, secret and session token, and region {call.region}",
    )


def _unknown_error(call: Call, code: str, message: str) -> Fatal:
    return Fatal(
        f"{call}: {call.endpoint} refuses the request: {code}: {_short(message)}",
        remedy="check the endpoint (AWS_ENDPOINT_URL) and the table names; if they are right, report this line",
    )


def bare_code(said: str) -> str:
    """The code in what an answer says: ``com.amazonaws.dynamodb.v20120810#Code``, or ``Code:http://...``."""
    return said.partition(":")[0].rpartition("#")[2]


def plain_code(code: str) -> str:
    """An error's code without the suffix that differs between the services."""
    return code.removesuffix("Exception").removesuffix("Error")


def _short(message: str) -> str:
    line = " ".join(message.split())
    return line if len(line) <= 300 else f"{line[:297]}..."
