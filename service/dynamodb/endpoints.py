"""The endpoints of DynamoDB and DynamoDB Streams: the configured ones, or by botocore's rules (partitions, FIPS, dual-stack).

botocore is imported only for the latter.
"""

from dataclasses import dataclass

from service.config import Settings
from service.errors import Misconfigured


@dataclass(frozen=True, slots=True)
class Endpoints:
    """Base URLs of DynamoDB and of DynamoDB Streams, and the region that requests are signed for."""

    items: str
    streams: str
    region: str


def resolve_endpoints(settings: Settings) -> Endpoints:
    """The settings' URLs, or AWS's endpoints in their region, which takes about 0.3 s to read models from disk.

    Raises Misconfigured when the region is not valid.
    """
    items = settings.endpoint_url or _endpoint("dynamodb", settings)
    streams = settings.streams_url or _endpoint("dynamodbstreams", settings)
    return Endpoints(items, streams, settings.aws_region)


def _endpoint(service: str, settings: Settings) -> str:
    from botocore.config import Config
    from botocore.exceptions import BotoCoreError

    from service.dynamodb.botocore_session import BotocoreSession

    region = settings.aws_region
    try:
        client = BotocoreSession(settings).create_client(
            service,
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
