"""Calls of AWS services through boto3. They block, and raise tablesplit's own errors, after botocore's retries."""

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
from service.errors import (
    CERTIFICATE_REMEDY,
    CHECK_ENDPOINT,
    CredentialsExpired,
    Misconfigured,
    Retryable,
    TablesplitError,
)


class BotocoreCalls:
    """One session, and a client of each service that is asked."""

    def __init__(self, settings: Settings) -> None:
        """Sends nothing. Raises Misconfigured when the profile or the region cannot be used."""
        self._settings = settings
        self._session = aws_session(settings)
        self._made: dict[str, Any] = {}
        self._making = Lock()

    def call(
        self, service: str, method: str, subject: str, request: dict[str, Any], none: tuple[str, ...] = ()
    ) -> dict[str, Any]:
        """The answer. An empty one when the service refuses it with a code of ``none`` (without its suffix).

        Raises Misconfigured also when the service's endpoint is not valid.
        """
        client = self._client(service)
        try:
            answer: dict[str, Any] = getattr(client, method)(**request)
        except (ClientError, BotoCoreError) as error:
            if isinstance(error, ClientError) and plain_code(_code_of(error)) in none:
                return {}
            raise self._error(client, client.meta.method_to_api_mapping[method], subject, error) from error
        return answer

    def table_or_none(self, name: str) -> dict[str, Any] | None:
        """The answer to DescribeTable; None when there is no table of that name."""
        client = self._client("dynamodb")
        try:
            answer: dict[str, Any] = client.describe_table(TableName=name)
        except client.exceptions.ResourceNotFoundException:
            return None
        except (ClientError, BotoCoreError) as error:
            raise self._error(client, "DescribeTable", name, error) from error
        return answer

    def server_date(self) -> str:
        """The Date header of DynamoDB's answer, also when it refuses the request."""
        client = self._client("dynamodb")
        try:
            metadata = client.list_tables(Limit=1)["ResponseMetadata"]
        except ClientError as error:
            metadata = error.response["ResponseMetadata"]
        except BotoCoreError as error:
            raise self._error(client, "ListTables", "the region", error) from error
        date: str = metadata["HTTPHeaders"]["date"]
        return date

    def describe(self, service: str, operation: str, subject: str) -> Call:
        """A request, for error messages."""
        return self._call_of(self._client(service), operation, subject)

    def _client(self, service: str) -> Any:
        """The client of a service, made when it is first asked: each takes long to make."""
        with self._making:  # threads ask at once, and a session is for one alone
            if service not in self._made:
                self._made[service] = self._new_client(service)
            return self._made[service]

    def _new_client(self, service: str) -> Any:
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
