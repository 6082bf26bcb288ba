"""What the credential chain raises, as our error: STS, SSO, the instance's or container's service, or a process of the user's.

The chain asks other services than DynamoDB, so its troubles are named after the operation that it asked for.
"""

import re

from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    CredentialRetrievalError,
    HTTPClientError,
    MetadataRetrievalError,
    NoCredentialsError,
    SSLError,
    SSOError,
    TokenRetrievalError,
)
from botocore.exceptions import ConnectionError as BotocoreConnectionError

from service.aws_profile import instance_is_asked
from service.dynamodb.credential_errors import NOT_RENEWED, RENEWAL_REMEDY, no_credentials
from service.dynamodb.error_answers import (
    SERVER_ERRORS,
    clock_error,
    is_clock_refused,
    plain_code,
)
from service.dynamodb.network import is_refused_by_proxy, proxy_error, tunnel_status
from service.dynamodb.refusals import denied
from service.dynamodb.throttling import THROTTLING
from service.errors import Misconfigured, Retryable, TablesplitError

CHAIN_ERRORS = (BotoCoreError, ClientError, OSError, ValueError, KeyError)
"""A credential_process that is missing or prints no JSON raises the last three."""

LOGIN_REMEDY = "log in again (aws sso login, with the profile of AWS_PROFILE), then run the same command"
WAIT_REMEDY = "it is tried again; if it lasts, see AWS's health page, and whether this machine reaches {service}"

_SERVICES = {
    "AssumeRole": "AWS STS",
    "AssumeRoleWithWebIdentity": "AWS STS",
    "AssumeRoleWithSAML": "AWS STS",
    "GetSessionToken": "AWS STS",
    "GetRoleCredentials": "AWS SSO",
    "CreateToken": "AWS SSO",
    "CreateOAuth2Token": "AWS sign-in",
}
_PROVIDERS = {
    "iam-role": "the instance's metadata service",
    "container-role": "the container's credential service",
}
_BUSY = THROTTLING | SERVER_ERRORS | {"IDPCommunication", "TransactionInProgress"}
_EXPIRED = {"ExpiredToken", "Unauthorized", "UnauthorizedSSOToken", "InvalidGrant", "ExpiredTokenException"}


def credential_error(error: Exception) -> TablesplitError:
    """Our error: Retryable while the service may recover, Misconfigured when somebody must do something."""
    if isinstance(error, ClientError):
        return _refused(error)
    if isinstance(error, NoCredentialsError):
        return no_credentials(instance_asked=instance_is_asked())
    if isinstance(error, SSOError | TokenRetrievalError):
        return Misconfigured(f"the AWS credentials cannot be loaded: {_line(error)}", remedy=LOGIN_REMEDY)
    if is_refused_by_proxy(error):
        return proxy_error("the AWS credentials cannot be loaded", "the service that gives them", tunnel_status(error))
    if isinstance(error, SSLError):
        return Misconfigured(
            f"the AWS credentials cannot be loaded: {_line(error)}",
            remedy="set AWS_CA_BUNDLE to the certificates of your network's proxy",
        )
    provider = getattr(error, "kwargs", {}).get("provider")
    if isinstance(error, MetadataRetrievalError | BotocoreConnectionError | HTTPClientError) or provider in _PROVIDERS:
        return _unreachable(_PROVIDERS.get(str(provider), "the service that gives them"), error)
    remedy = "correct credential_process in the AWS config file" if _is_of_process(error) else RENEWAL_REMEDY
    return Misconfigured(f"the AWS credentials cannot be loaded: {_line(error)}", remedy=remedy)


def _refused(error: ClientError) -> TablesplitError:
    """The error for an answer of STS or SSO."""
    content, metadata = error.response.get("Error", {}), error.response.get("ResponseMetadata", {})
    code, message = str(content.get("Code", "")), " ".join(str(content.get("Message", "")).split())
    service = _SERVICES.get(error.operation_name, "the service that gives them")
    what = f"{service} gives no AWS credentials: {error.operation_name}: {code}: {message}"
    found: TablesplitError
    if plain_code(code) in _BUSY or metadata.get("HTTPStatusCode", 400) >= 500:
        found = _passing(what, service)
    elif is_clock_refused(plain_code(code), message):
        found = clock_error(f"{service} gives no AWS credentials: {error.operation_name}", message or code)
    elif plain_code(code) == "AccessDenied" and service == "AWS STS":
        refusal = denied(error.operation_name, error.operation_name, "the role", message)
        remedy = f"{refusal.remedy}; and the role's trust policy must name the caller"
        found = Misconfigured(what, remedy=remedy)
    elif service == "AWS SSO" or plain_code(code) in _EXPIRED:
        found = Misconfigured(what, remedy=LOGIN_REMEDY if service == "AWS SSO" else RENEWAL_REMEDY)
    else:
        found = Misconfigured(what, remedy="check AWS_PROFILE, the role and the key that it names, and the region")
    found.request_id = str(metadata.get("RequestId", ""))
    return found


def _unreachable(service: str, error: Exception) -> Retryable:
    return _passing(f"the AWS credentials cannot be loaded: {service} does not answer: {_line(error)}", service)


def _passing(message: str, service: str) -> Retryable:
    return Retryable(message, reason=NOT_RENEWED, remedy=WAIT_REMEDY.format(service=service))


def _is_of_process(error: Exception) -> bool:
    kwargs = getattr(error, "kwargs", {})
    if isinstance(error, CredentialRetrievalError):
        return bool(kwargs.get("provider") == "custom-process")
    return not isinstance(error, BotoCoreError)


def _line(error: Exception) -> str:
    return re.sub(r"\s+", " ", str(error)) or type(error).__name__
