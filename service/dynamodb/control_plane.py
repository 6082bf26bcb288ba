"""The control plane: tables, streams and identity through boto3. Calls block: async callers use ``asyncio.to_thread``.

``table_waits`` waits for the operations that calls have begun.
"""

from email.utils import parsedate_to_datetime
from functools import cached_property
from threading import Lock
from typing import Any

from botocore.config import Config
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectTimeoutError,
    EndpointConnectionError,
    HTTPClientError,
    NoCredentialsError,
    ProxyConnectionError,
    ReadTimeoutError,
    SSLError,
)

from service.aws_profile import instance_is_asked
from service.config import Settings
from service.dynamodb.aws_session import aws_session
from service.dynamodb.botocore_session import ATTEMPTS
from service.dynamodb.credential_errors import RENEWAL_REMEDY, expired_credentials, no_credentials
from service.dynamodb.error_answers import Call, bare_code, coded_error, plain_code
from service.dynamodb.network import proxy_error, tunnel_status
from service.dynamodb.table_description import (
    STREAM_VIEW_TYPE,
    Identity,
    NewTable,
    TableDescription,
    create_table_request,
    table_description,
)
from service.dynamodb.table_features import Recovery
from service.errors import (
    CERTIFICATE_REMEDY,
    CHECK_ENDPOINT,
    CredentialsExpired,
    Misconfigured,
    Retryable,
    TablesplitError,
)
from service.hosts import is_aws


class ControlPlane:
    """Administration of tables. Every method raises only tablesplit's own errors, one line each, after botocore's retries."""

    def __init__(self, settings: Settings) -> None:
        """Sends nothing. The first call makes the client, which takes about 0.3 s, and raises Misconfigured when region, profile or
        endpoint is not valid: some commands make no call."""
        self._settings = settings
        self._made: dict[str, Any] = {}
        self._making = Lock()

    def describe_table(self, name: str) -> TableDescription | None:
        """The table; None when there is no table of that name."""
        try:
            answer = self._tables.describe_table(TableName=name)
        except self._tables.exceptions.ResourceNotFoundException:
            return None
        except (ClientError, BotoCoreError) as error:
            raise self._error(self._tables, "DescribeTable", name, error) from error
        try:
            return table_description(answer["Table"])
        except KeyError as missing:  # botocore reads half an answer, or one that is not JSON, as an empty answer
            call = self._call_of(self._tables, "DescribeTable", name)
            problem = f"damaged answer from {call.endpoint}: no {missing.args[0]} in it"
            raise Retryable(f"{call}: {problem}", reason="damaged_answer", remedy=CHECK_ENDPOINT) from missing

    def create_table(self, table: NewTable) -> None:
        """Begin to create ``table``. Raises Fatal when a table of that name exists."""
        self._call(self._tables, "create_table", table.name, create_table_request(table))

    def enable_stream(self, name: str) -> None:
        """Begin to stream the new and old image of every change. Raises Fatal when a stream is enabled already."""
        stream = {"StreamEnabled": True, "StreamViewType": STREAM_VIEW_TYPE}
        self._call(self._tables, "update_table", name, {"TableName": name, "StreamSpecification": stream})

    def lift_protection(self, name: str) -> None:
        """Begin to allow that the table is deleted."""
        self._call(self._tables, "update_table", name, {"TableName": name, "DeletionProtectionEnabled": False})

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
        self._call(self._tables, "update_time_to_live", name, {"TableName": name, "TimeToLiveSpecification": wanted})

    def delete_table(self, name: str) -> None:
        """Begin to delete the table and everything in it. A table that is gone is no error: after a lost answer botocore sends the
        request again."""
        self._call(self._tables, "delete_table", name, {"TableName": name}, none=("ResourceNotFound",))

    def ask(
        self, service: str, method: str, subject: str, request: dict[str, Any], none: tuple[str, ...] = ()
    ) -> dict[str, Any]:
        """The answer of a call of any AWS service. An empty one when the server does not know the call, or
        refuses it with a code of ``none`` (without its suffix): then it has nothing of the kind."""
        return self._call(self._service(service), method, subject, request, none=("UnknownOperation", *none))

    @property
    def local(self) -> bool:
        """Whether DynamoDB is a local server, which has no other AWS services beside it."""
        return not is_aws(self._settings.endpoint_url)

    def request(self, method: str, table: str, fields: dict[str, Any]) -> dict[str, Any]:
        """The answer to any request of the DynamoDB API about ``table``, such as ``update_time_to_live``. For the self-test."""
        named = {} if method in ("batch_execute_statement", "transact_write_items") else {"TableName": table}
        return self._call(self._tables, method, table, {**named, **fields})

    def caller_identity(self) -> Identity:
        """The identity that signs the requests; ``local`` on a server that is not AWS's, which has no identities."""
        if self.local:
            return Identity("local", "local")
        answer = self._call(self._service("sts"), "get_caller_identity", "the caller", {})
        return Identity(answer["Account"], answer["Arn"])

    def server_time(self) -> float:
        """The server's time in epoch seconds, whole seconds: the Date header of its answer, also when it refuses the request."""
        try:
            metadata = self._tables.list_tables(Limit=1)["ResponseMetadata"]
        except ClientError as error:
            metadata = error.response["ResponseMetadata"]
        except BotoCoreError as error:
            raise self._error(self._tables, "ListTables", "the region", error) from error
        return parsedate_to_datetime(metadata["HTTPHeaders"]["date"]).timestamp()

    @cached_property
    def _session(self) -> Any:
        """Made with the first client."""
        return aws_session(self._settings)

    @property
    def _tables(self) -> Any:
        """DynamoDB's client."""
        return self._service("dynamodb")

    def _service(self, service: str) -> Any:
        """The client of a service, made when it is first asked: each takes long to make."""
        with self._making:  # threads ask at once, and a session is for one alone
            if service not in self._made:
                self._made[service] = self._client(service)
            return self._made[service]

    def _client(self, service: str) -> Any:
        settings = self._settings
        config = Config(
            connect_timeout=settings.connect_timeout_seconds,
            read_timeout=settings.request_timeout_seconds,
            retries={"mode": "standard", "total_max_attempts": ATTEMPTS},
            account_id_endpoint_mode="disabled",
        )
        try:
            url = settings.endpoint_url if service == "dynamodb" else None
            return self._session.client(service, endpoint_url=url, config=config)
        except (BotoCoreError, ValueError) as error:
            raise Misconfigured(
                f"AWS cannot be used as configured: {error}",
                remedy="check AWS_REGION, AWS_PROFILE and AWS_ENDPOINT_URL",
            ) from error

    def _call(
        self, client: Any, method: str, subject: str, request: dict[str, Any], none: tuple[str, ...] = ()
    ) -> dict[str, Any]:
        try:
            answer: dict[str, Any] = getattr(client, method)(**request)
        except (ClientError, BotoCoreError) as error:
            if isinstance(error, ClientError) and plain_code(_code_of(error)) in none:
                return {}
            raise self._error(client, client.meta.method_to_api_mapping[method], subject, error) from error
        return answer

    def _error(self, client: Any, operation: str, subject: str, error: Exception) -> Exception:
        call = self._call_of(client, operation, subject)
        if isinstance(error, ClientError):
            content, metadata = error.response["Error"], error.response["ResponseMetadata"]
            status = metadata.get("HTTPStatusCode", 400)
            refused = coded_error(call, _code_of(error), content.get("Message", ""), status, error.response)
            if isinstance(refused, CredentialsExpired):
                refused = expired_credentials()
            if isinstance(refused, TablesplitError):
                refused.request_id = metadata.get("RequestId", "")
            return refused
        return connection_error(call, error)

    def _call_of(self, client: Any, operation: str, subject: str) -> Call:
        return Call(operation, subject, client.meta.endpoint_url, self._settings.aws_region)


def _code_of(error: ClientError) -> str:
    """The code of an answer; botocore, which does not read it from the header, has the status for it then, or nothing."""
    said = str(error.response["Error"].get("Code") or "")
    header: str = error.response["ResponseMetadata"].get("HTTPHeaders", {}).get("x-amzn-errortype", "")
    return bare_code(header) if header and not said.strip("0123456789") else said


def connection_error(call: Call, error: Exception) -> TablesplitError:
    """Our error for a botocore error that was raised without an answer of the server."""
    if isinstance(error, NoCredentialsError):
        return no_credentials(instance_asked=instance_is_asked())
    if isinstance(error, ReadTimeoutError | ConnectTimeoutError):
        return Retryable(f"{call}: no answer from {call.endpoint} in time", reason="timeout", remedy=CHECK_ENDPOINT)
    if isinstance(error, SSLError):
        message = f"{call}: the certificate of {call.endpoint} is not trusted: {' '.join(str(error).split())}"
        return Misconfigured(message, remedy=CERTIFICATE_REMEDY)
    if isinstance(error, ProxyConnectionError):
        return proxy_error(call, call.endpoint, tunnel_status(error))
    if isinstance(error, EndpointConnectionError | HTTPClientError):
        return Retryable(f"{call}: cannot connect to {call.endpoint}", reason="no_connection", remedy=CHECK_ENDPOINT)
    return Misconfigured(f"{call}: {error}", remedy=RENEWAL_REMEDY)
