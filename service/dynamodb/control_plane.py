"""The control plane: tables, streams and identity through boto3. Calls block: async callers use ``asyncio.to_thread``.

``table_waits`` waits for the operations that calls have begun.
"""

from email.utils import parsedate_to_datetime
from threading import Lock
from typing import TYPE_CHECKING, Any

from service.config import Settings
from service.dynamodb.table_description import (
    STREAM_VIEW_TYPE,
    Identity,
    NewTable,
    TableDescription,
    create_table_request,
    table_description,
)
from service.dynamodb.table_features import Recovery
from service.errors import CHECK_ENDPOINT, Retryable
from service.hosts import is_aws

if TYPE_CHECKING:
    from service.dynamodb.botocore_calls import BotocoreCalls


class ControlPlane:
    """Administration of tables. Every method raises only tablesplit's own errors, one line each, after botocore's retries."""

    def __init__(self, settings: Settings) -> None:
        """Sends nothing. The first call makes the client, which takes about 0.3 s, and raises Misconfigured when region, profile or
        endpoint is not valid: some commands make no call."""
        self._settings = settings
        self._made: BotocoreCalls | None = None
        self._making = Lock()

    def describe_table(self, name: str) -> TableDescription | None:
        """The table; None when there is no table of that name."""
        answer = self._calls.table_or_none(name)
        if answer is None:
            return None
        try:
            return table_description(answer["Table"])
        except KeyError as missing:  # botocore reads half an answer, or one that is not JSON, as an empty answer
            call = self._calls.describe("dynamodb", "DescribeTable", name)
            problem = f"damaged answer from {call.endpoint}: no {missing.args[0]} in it"
            raise Retryable(f"{call}: {problem}", reason="damaged_answer", remedy=CHECK_ENDPOINT) from missing

    def create_table(self, table: NewTable) -> None:
        """Begin to create ``table``. Raises Fatal when a table of that name exists."""
        self._call("create_table", table.name, create_table_request(table))

    def enable_stream(self, name: str) -> None:
        """Begin to stream the new and old image of every change. Raises Fatal when a stream is enabled already."""
        stream = {"StreamEnabled": True, "StreamViewType": STREAM_VIEW_TYPE}
        self._call("update_table", name, {"TableName": name, "StreamSpecification": stream})

    def lift_protection(self, name: str) -> None:
        """Begin to allow that the table is deleted."""
        self._call("update_table", name, {"TableName": name, "DeletionProtectionEnabled": False})

    def begin_recovery(self, name: str, recovery: Recovery) -> bool:
        """Turn on point-in-time recovery. False while the server is not ready for it, which lasts seconds after a table was made
        (https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_UpdateContinuousBackups.html)."""
        days = {} if recovery.days is None else {"RecoveryPeriodInDays": recovery.days}
        wanted = {"PointInTimeRecoveryEnabled": True, **days}
        request = {"TableName": name, "PointInTimeRecoverySpecification": wanted}
        return bool(
            self.ask("dynamodb", "update_continuous_backups", name, request, none=("ContinuousBackupsUnavailable",))
        )

    def begin_expiry(self, name: str, attribute: str) -> None:
        """Let the table's items expire at the time in ``attribute``."""
        wanted = {"Enabled": True, "AttributeName": attribute}
        self._call("update_time_to_live", name, {"TableName": name, "TimeToLiveSpecification": wanted})

    def delete_table(self, name: str) -> None:
        """Begin to delete the table and everything in it. A table that is gone is no error: after a lost answer botocore sends the
        request again."""
        self._call("delete_table", name, {"TableName": name}, none=("ResourceNotFound",))

    def ask(
        self, service: str, method: str, subject: str, request: dict[str, Any], none: tuple[str, ...] = ()
    ) -> dict[str, Any]:
        """The answer of a call of any AWS service. An empty one when the server does not know the call, or
        refuses it with a code of ``none`` (without its suffix): then it has nothing of the kind."""
        return self._calls.call(service, method, subject, request, none=("UnknownOperation", *none))

    @property
    def local(self) -> bool:
        """Whether DynamoDB is a local server, which has no other AWS services beside it."""
        return not is_aws(self._settings.endpoint_url)

    def request(self, method: str, table: str, fields: dict[str, Any]) -> dict[str, Any]:
        """The answer to any request of the DynamoDB API about ``table``, such as ``update_time_to_live``. For the self-test."""
        named = {} if method in ("batch_execute_statement", "transact_write_items") else {"TableName": table}
        return self._call(method, table, {**named, **fields})

    def caller_identity(self) -> Identity:
        """The identity that signs the requests; ``local`` on a server that is not AWS's, which has no identities."""
        if self.local:
            return Identity("local", "local")
        answer = self._calls.call("sts", "get_caller_identity", "the caller", {})
        return Identity(answer["Account"], answer["Arn"])

    def server_time(self) -> float:
        """The server's time in epoch seconds, whole seconds: the Date header of its answer, also when it refuses the request."""
        return parsedate_to_datetime(self._calls.server_date()).timestamp()

    @property
    def _calls(self) -> "BotocoreCalls":
        """Made with the first call. botocore is imported only then: it takes longer than all that a short command does."""
        with self._making:  # threads call at once
            if self._made is None:
                from service.dynamodb.botocore_calls import BotocoreCalls

                self._made = BotocoreCalls(self._settings)
            return self._made

    def _call(self, method: str, subject: str, request: dict[str, Any], none: tuple[str, ...] = ()) -> dict[str, Any]:
        return self._calls.call("dynamodb", method, subject, request, none)
