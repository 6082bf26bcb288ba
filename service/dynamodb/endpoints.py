"""The endpoints of DynamoDB and DynamoDB Streams: the configured one, or by botocore's rules (partitions, FIPS, config files)."""

from dataclasses import dataclass
from urllib.parse import urlsplit

import botocore.session
from botocore.config import Config
from botocore.exceptions import BotoCoreError

from service.errors import Misconfigured


@dataclass(frozen=True, slots=True)
class Endpoints:
    """Base URLs of DynamoDB and of DynamoDB Streams, and the region that requests are signed for."""

    items: str
    streams: str
    region: str


def resolve_endpoints(region: str, endpoint_url: str | None) -> Endpoints:
    """``endpoint_url`` for both services, or their endpoints in ``region``, which takes about 0.3 s to read models from disk.

    Raises Misconfigured when region or URL is not valid.
    """
    if endpoint_url is not None:
        _require_server_url(endpoint_url)
        return Endpoints(endpoint_url, endpoint_url, region)
    session = botocore.session.Session()
    items, streams = [_endpoint(session, service, region) for service in ("dynamodb", "dynamodbstreams")]
    return Endpoints(items, streams, region)


def _require_server_url(url: str) -> None:
    try:
        parts = urlsplit(url)
        usable = parts.scheme in ("http", "https") and parts.hostname and (parts.port is None or parts.port > 0)
    except ValueError:
        usable = False
    if not usable:
        raise Misconfigured(
            f"AWS_ENDPOINT_URL={url}: not the URL of a server", remedy="write it like http://localhost:8000"
        )


def _endpoint(session: botocore.session.Session, service: str, region: str) -> str:
    try:
        client = session.create_client(
            service,
            region_name=region,
            aws_access_key_id="unused",
            aws_secret_access_key="unused",  # noqa: S106 - nothing is signed with it
            # An account's own endpoint would need the account's id; the region's endpoint serves every account.
            config=Config(account_id_endpoint_mode="disabled"),
        )
    except (BotoCoreError, ValueError) as error:
        raise Misconfigured(
            f"AWS_REGION={region}: no endpoint of {service}: {error}", remedy="check AWS_REGION"
        ) from error
    url: str = client.meta.endpoint_url
    return url
