"""What AWS's variables and the chosen profile say of region, endpoints and certificates, and the variables alone of access keys.

The order is AWS's own: a variable before the profile, and what is said for one service before what is said for all
(https://docs.aws.amazon.com/sdkref/latest/guide/feature-ss-endpoints.html). AWS_REGION, which boto3 does not read, comes first.
What is said for all services counts for DynamoDB and its streams alone: mostly it is DynamoDB's VPC endpoint, or a local server,
and no other service is there. An empty variable counts as unset.

botocore reads the profile. It is imported only where there is one: that takes as long as all else that a short command does.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from service.errors import Misconfigured
from service.hosts import is_server_url, region_of

DEFAULT_REGION = "ap-southeast-2"
"""The region of the packaged mapping's tables."""

REGION_NAMES = ("AWS_REGION", "AWS_DEFAULT_REGION")
ENDPOINT_NAMES = ("AWS_ENDPOINT_URL_DYNAMODB", "AWS_ENDPOINT_URL")
STREAMS_NAMES = ("AWS_ENDPOINT_URL_DYNAMODB_STREAMS",)
CERTIFICATE_NAMES = ("AWS_CA_BUNDLE", "SSL_CERT_FILE")
PROFILE_NAMES = ("AWS_DEFAULT_PROFILE", "AWS_PROFILE")  # in the order in which botocore takes them
PROFILE_FILES = {"AWS_CONFIG_FILE": "~/.aws/config", "AWS_SHARED_CREDENTIALS_FILE": "~/.aws/credentials"}
"""The variables that name the files of profiles, and where the files are without them."""
IN_AWS_NAMES = (
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI",
    "AWS_EXECUTION_ENV",
    "AWS_ROLE_ARN",
    "AWS_WEB_IDENTITY_TOKEN_FILE",
    "ECS_CONTAINER_METADATA_URI_V4",
)
"""Variables of a container that runs in AWS, or that was given a role."""

ENDPOINT_FORM = "http://localhost:8000"
"""How the URL of a server is written."""
CORRECT_PROFILE = "correct AWS_PROFILE, or the AWS config file"
SERVICES_REMEDY = (
    "write in its `services` section `dynamodb =` alone, and below it, indented, `endpoint_url = http://localhost:8000`"
)


@dataclass(frozen=True, slots=True)
class Profile:
    """What the chosen profile says; None: nothing."""

    name: str
    region: str | None = None
    endpoint_url: str | None = None
    streams_endpoint_url: str | None = None
    ca_bundle: str | None = None


@dataclass(frozen=True, slots=True)
class Said:
    """A value, and what has said it, for error messages."""

    value: str
    by: str


def unset_empty_variables() -> None:
    """Take the variables of AWS that are empty out of the environment: some of what reads them takes "" for a value."""
    for name in [name for name, value in os.environ.items() if name.startswith("AWS_") and not value]:
        del os.environ[name]


def read_profile() -> Profile:
    """The profile that AWS_PROFILE names, or ``default``. Raises Misconfigured when there is none of that name, or when its
    `services` section cannot be read."""
    profile, services = _chosen_profile()
    ignored = _endpoints_are_ignored(profile)

    def endpoint(service: str) -> str | None:
        return None if ignored else services.get(service, {}).get("endpoint_url") or profile.get("endpoint_url")

    return Profile(
        _profile_name(),
        profile.get("region"),
        endpoint("dynamodb"),
        endpoint("dynamodb_streams"),
        profile.get("ca_bundle"),
    )


def _chosen_profile() -> tuple[Mapping[str, Any], Mapping[str, Mapping[str, Any]]]:
    """The chosen profile, and the sections of its services by their name."""
    if not _any_profile():
        return {}, {}
    import botocore.session
    from botocore.exceptions import BotoCoreError

    session = botocore.session.Session()
    try:
        profile: Mapping[str, Any] = session.get_scoped_config()
        sections = session.full_config.get("services", {})
    except BotoCoreError as error:
        raise Misconfigured(f"the AWS profile cannot be read: {error}", remedy=CORRECT_PROFILE) from error
    name = profile.get("services")
    if name is None:
        return profile, {}
    services = sections.get(name) if isinstance(name, str) else None
    if not isinstance(services, Mapping):
        raise Misconfigured(
            f"{_in_profile('services')}: the AWS config file has no section [services {name}]", remedy=CORRECT_PROFILE
        )
    for service, section in services.items():
        if not isinstance(section, Mapping):
            where = f"{_in_profile('services')}: {service} = {section}"
            raise Misconfigured(f"{where}: not a section", remedy=SERVICES_REMEDY.replace("dynamodb", service))
    return profile, services


def _any_profile() -> bool:
    """Whether a profile is named, or there is a file that may have the one called ``default``."""
    files = (os.environ.get(variable, file) for variable, file in PROFILE_FILES.items())
    return profile_is_named() or any(map(_is_file, files))


def _is_file(path: str) -> bool:
    """As botocore asks it: a user without a home directory, which pathlib refuses, has no such file."""
    return os.path.isfile(os.path.expanduser(os.path.expandvars(path)))  # noqa: PTH111, PTH113


def profile_is_named() -> bool:
    """Whether a variable names a profile."""
    return _is_set(*PROFILE_NAMES)


def _profile_name() -> str:
    return next(filter(None, map(os.environ.get, PROFILE_NAMES)), "default")


def _in_profile(name: str) -> str:
    return f"profile {_profile_name()} (AWS config file): {name}"


def _endpoints_are_ignored(profile: Mapping[str, Any]) -> bool:
    said = os.environ.get("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS") or profile.get("ignore_configured_endpoint_urls")
    return _is_true(said)


def service_endpoint(service: str) -> str | None:
    """The URL that AWS_ENDPOINT_URL_<SERVICE>, or the profile's section of the service, names for a service of AWS, by botocore's
    name for it; None: AWS's own. Raises Misconfigured when it is not the URL of a server."""
    from botocore.utils import CLIENT_NAME_TO_HYPHENIZED_SERVICE_ID_OVERRIDES

    name = CLIENT_NAME_TO_HYPHENIZED_SERVICE_ID_OVERRIDES.get(service, service).replace("-", "_")
    variable = f"AWS_ENDPOINT_URL_{name.upper()}"
    profile, services = _chosen_profile()
    url, where = os.environ.get(variable), variable
    if not url:
        url, where = services.get(name, {}).get("endpoint_url"), _in_profile(f"services: {name}: endpoint_url")
    if not url or _endpoints_are_ignored(profile):
        return None
    if not is_server_url(url):
        raise Misconfigured(f"{where}={url}: not the URL of a server", remedy=f"write it like {ENDPOINT_FORM}")
    return url


def proxy_variable(scheme: str) -> str:
    """The variable that names the proxy for ``http`` or ``https``: the one in lower case goes first, as Python's urllib has it."""
    lower = f"{scheme}_proxy"
    return lower if _is_set(lower) else lower.upper()


def said_beside_variables() -> dict[str, Said]:
    """The settings that no variable of their own names, by the name of their field: what the profile says, and AWS_ENDPOINT_URL
    for streams where DynamoDB's own variable names another endpoint."""
    profile = read_profile()
    said = {
        "aws_region": (REGION_NAMES, profile.region, "region"),
        "endpoint_url": (ENDPOINT_NAMES, profile.endpoint_url, "endpoint_url"),
        "streams_endpoint_url": ((*STREAMS_NAMES, *ENDPOINT_NAMES), profile.streams_endpoint_url, "endpoint_url"),
        "ca_bundle": (CERTIFICATE_NAMES, profile.ca_bundle, "ca_bundle"),
    }
    found = {
        field: Said(value, _in_profile(name))
        for field, (names, value, name) in said.items()
        if value and not _is_set(*names)
    }
    general = os.environ.get("AWS_ENDPOINT_URL")
    if general and _is_set("AWS_ENDPOINT_URL_DYNAMODB") and not _is_set(*STREAMS_NAMES):
        found["streams_endpoint_url"] = Said(general, "AWS_ENDPOINT_URL")
    return found


def require_region(*, own_mapping: bool, local: bool) -> None:
    """Raise Misconfigured when neither a variable nor the profile names a region and the packaged mapping's may not stand for it.

    It may when nothing else was said either (no mapping, no profile, no container's role), and on a local server.
    """
    if _is_set(*REGION_NAMES) or local:
        return
    if own_mapping or profile_is_named() or _is_set(*IN_AWS_NAMES):
        where = f"`region` of profile {read_profile().name} in the AWS config file"
        raise Misconfigured("no AWS region is set", remedy=f"set AWS_REGION, or {where}")


def region_is_said() -> bool:
    """Whether a variable or the profile names a region."""
    return _is_set(*REGION_NAMES) or bool(read_profile().region)


def default_region_note(*urls: str | None) -> str | None:
    """What a command says first when no region is set and the packaged mapping's is used; None: one is set, or the host of one of
    ``urls`` names one."""
    if region_is_said() or any(map(region_of, urls)):
        return None
    return f"no AWS region is set: {DEFAULT_REGION} is used, the packaged mapping's; AWS_REGION sets another"


def keys_in_environment() -> tuple[str, str, str | None] | None:
    """Access key, secret key and session token that botocore's credential chain finds at its first place, the environment.

    None: the chain itself is to be asked. So it is where half of a pair is set, which is an error of its own, where the pair has an
    end, and where a profile is named, which must exist (https://docs.aws.amazon.com/boto3/latest/guide/credentials.html).
    """
    access_key, secret_key = map(os.environ.get, ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"))
    if not access_key or not secret_key or _is_set("AWS_CREDENTIAL_EXPIRATION") or profile_is_named():
        return None
    tokens = map(os.environ.get, ("AWS_SECURITY_TOKEN", "AWS_SESSION_TOKEN"))  # the older name goes first
    return access_key, secret_key, next(filter(None, tokens), None)


def instance_is_asked() -> bool:
    """Whether the credential chain ends with EC2's metadata service."""
    return not _is_true(os.environ.get("AWS_EC2_METADATA_DISABLED"))


def _is_set(*names: str) -> bool:
    return any(os.environ.get(name) for name in names)


def _is_true(value: object) -> bool:
    return str(value).lower() == "true"
