"""The endpoints of DynamoDB and DynamoDB Streams: the configured ones, or by botocore's rules (partitions, FIPS, dual-stack)."""

from dataclasses import dataclass
from urllib.parse import urlsplit

import botocore.session
from botocore.config import Config
from botocore.exceptions import BotoCoreError

from service.config import Settings
from service.errors import Misconfigured

AS_GIVEN = Config(use_fips_endpoint=False, use_dualstack_endpoint=False)
"""For a client whose URL is set: AWS's variables for FIPS and dual-stack choose between AWS's own hosts, and botocore refuses
both."""


@dataclass(frozen=True, slots=True)
class Endpoints:
    """Base URLs of DynamoDB and of DynamoDB Streams, and the region that requests are signed for."""

    items: str
    streams: str
    region: str


def resolve_endpoints(settings: Settings) -> Endpoints:
    """The settings' URLs, or AWS's endpoints in their region, which takes about 0.3 s to read models from disk.

    Raises Misconfigured when region or URL is not valid.
    """
    region = settings.aws_region
    items = _given("AWS_ENDPOINT_URL", settings.endpoint_url) or _endpoint("dynamodb", region)
    streams = _given("AWS_ENDPOINT_URL_DYNAMODB_STREAMS", settings.streams_url) or _endpoint("dynamodbstreams", region)
    return Endpoints(items, streams, region)


def _given(variable: str, url: str | None) -> str | None:
    """``url``, if there is one. Raises Misconfigured when it is not the URL of a server."""
    if url is None:
        return None
    try:
        parts = urlsplit(url)
        usable = parts.scheme in ("http", "https") and parts.hostname and (parts.port is None or parts.port > 0)
    except ValueError:
        usable = False
    if not usable:
        raise Misconfigured(f"{variable}={url}: not the URL of a server", remedy="write it like http://localhost:8000")
    return url


def _endpoint(service: str, region: str) -> str:
    try:
        client = botocore.session.Session().create_client(
            service,
            region_name=region,
            aws_access_key_id="unused",
            aws_secret_access_key="unused",  # noqa: S106 - nothing is signed with it
            # An account's own endpoint would need the account's id; the region's endpoint serves every account. A URL of the
            # environment or the profile is in the settings already.
            config=Config(account_id_endpoint_mode="disabled", ignore_configured_endpoint_urls=True),
        )
    except (BotoCoreError, ValueError) as error:
        raise Misconfigured(
            f"AWS_REGION={region}: no endpoint of {service}: {error}", remedy="check AWS_REGION"
        ) from error
    url: str = client.meta.endpoint_url
    return url
