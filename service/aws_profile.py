"""What AWS's variables and the chosen profile say of region, endpoints and certificates.

The order is AWS's own: a variable before the profile, and what is said for one service before what is said for all
(https://docs.aws.amazon.com/sdkref/latest/guide/feature-ss-endpoints.html). AWS_REGION, which boto3 does not read, comes first.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import botocore.session
from botocore.exceptions import BotoCoreError

from service.errors import Misconfigured

DEFAULT_REGION = "ap-southeast-2"
"""The region of the packaged mapping's tables."""

REGION_NAMES = ("AWS_REGION", "AWS_DEFAULT_REGION")
ENDPOINT_NAMES = ("AWS_ENDPOINT_URL_DYNAMODB", "AWS_ENDPOINT_URL")
STREAMS_NAMES = ("AWS_ENDPOINT_URL_DYNAMODB_STREAMS",)
CERTIFICATE_NAMES = ("AWS_CA_BUNDLE", "SSL_CERT_FILE")
PROFILE_NAMES = ("AWS_PROFILE", "AWS_DEFAULT_PROFILE")
IN_AWS_NAMES = (
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI",
    "AWS_EXECUTION_ENV",
    "AWS_ROLE_ARN",
    "AWS_WEB_IDENTITY_TOKEN_FILE",
    "ECS_CONTAINER_METADATA_URI_V4",
)
"""Variables of a container that runs in AWS, or that was given a role."""


@dataclass(frozen=True, slots=True)
class Profile:
    """What the chosen profile says; None: nothing."""

    name: str
    region: str | None = None
    endpoint_url: str | None = None
    streams_endpoint_url: str | None = None
    ca_bundle: str | None = None


def read_profile() -> Profile:
    """The profile that AWS_PROFILE names, or ``default``. Raises Misconfigured when there is none of that name."""
    session = botocore.session.Session()
    try:
        profile: Mapping[str, Any] = session.get_scoped_config()
        services = session.full_config.get("services", {})
    except BotoCoreError as error:
        raise Misconfigured(
            f"the AWS profile cannot be read: {error}", remedy="correct AWS_PROFILE, or the AWS config file"
        ) from error
    own = services.get(profile.get("services", ""), {})
    ignored = _is_true(
        os.environ.get("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS") or profile.get("ignore_configured_endpoint_urls")
    )

    def endpoint(service: str) -> str | None:
        section = own.get(service, {})
        said = section.get("endpoint_url") if isinstance(section, Mapping) else None
        return None if ignored else said or profile.get("endpoint_url")

    return Profile(
        next(filter(None, map(os.environ.get, PROFILE_NAMES)), "default"),
        profile.get("region"),
        endpoint("dynamodb"),
        endpoint("dynamodb_streams"),
        profile.get("ca_bundle"),
    )


def said_by_profile() -> dict[str, str]:
    """The settings that no variable names and the profile does, by the name of their field."""
    profile = read_profile()
    said = {
        "aws_region": (REGION_NAMES, profile.region),
        "endpoint_url": (ENDPOINT_NAMES, profile.endpoint_url),
        "streams_endpoint_url": ((*STREAMS_NAMES, *ENDPOINT_NAMES), profile.streams_endpoint_url),
        "ca_bundle": (CERTIFICATE_NAMES, profile.ca_bundle),
    }
    return {field: value for field, (names, value) in said.items() if value and not _is_set(*names)}


def all_services_endpoint() -> str | None:
    """AWS_ENDPOINT_URL where DynamoDB's own variable names another one: it is then that of streams alone."""
    return os.environ.get("AWS_ENDPOINT_URL") if _is_set("AWS_ENDPOINT_URL_DYNAMODB") else None


def require_region(*, own_mapping: bool, local: bool) -> None:
    """Raise Misconfigured when neither a variable nor the profile names a region and the packaged mapping's may not stand for it.

    It may when nothing else was said either (no mapping, no profile, no container's role), and on a local server.
    """
    if _is_set(*REGION_NAMES) or local:
        return
    if own_mapping or _is_set(*PROFILE_NAMES, *IN_AWS_NAMES):
        where = f"`region` of profile {read_profile().name} in the AWS config file"
        raise Misconfigured("no AWS region is set", remedy=f"set AWS_REGION, or {where}")


def default_region_note() -> str | None:
    """What a command says first when no region is set and the packaged mapping's is used; None: one is set."""
    if _is_set(*REGION_NAMES) or read_profile().region:
        return None
    return f"no AWS region is set: {DEFAULT_REGION} is used, the packaged mapping's; AWS_REGION sets another"


def instance_is_asked() -> bool:
    """Whether the credential chain ends with EC2's metadata service."""
    return not _is_true(os.environ.get("AWS_EC2_METADATA_DISABLED"))


def _is_set(*names: str) -> bool:
    return any(os.environ.get(name) for name in names)


def _is_true(value: object) -> bool:
    return str(value).lower() == "true"
