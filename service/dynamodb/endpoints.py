"""Where the two services are: botocore's own endpoint rules (partitions, FIPS, configuration files,
AWS_ENDPOINT_URL)."""

from dataclasses import dataclass

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
    """The endpoints of ``region``, or ``endpoint_url`` for both. Takes about 0.3 s: reads botocore's models
    from disk.

    Raises Misconfigured for a region or URL that cannot be one.
    """
    session = botocore.session.Session()
    urls = [_endpoint(session, service, region, endpoint_url) for service in ("dynamodb", "dynamodbstreams")]
    return Endpoints(urls[0], urls[1], region)


def _endpoint(session: botocore.session.Session, service: str, region: str, endpoint_url: str | None) -> str:
    try:
        client = session.create_client(
            service,
            region_name=region,
            endpoint_url=endpoint_url,
            aws_access_key_id="unused",
            aws_secret_access_key="unused",
            # An account's own endpoint would need its id; the region's serves every account.
            config=Config(account_id_endpoint_mode="disabled"),
        )
    except (BotoCoreError, ValueError) as error:
        raise Misconfigured(
            f"no endpoint of {service} for region {region!r}: {error}",
            remedy="check AWS_REGION and AWS_ENDPOINT_URL",
        ) from error
    url: str = client.meta.endpoint_url
    return url
