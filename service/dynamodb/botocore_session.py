"""A botocore session whose clients go by the settings: region, certificates, each service's own endpoint, and what is retried.

botocore itself would take AWS_ENDPOINT_URL, mostly the VPC endpoint of DynamoDB, for every service
(https://docs.aws.amazon.com/sdkref/latest/guide/feature-ss-endpoints.html). Here it is DynamoDB's alone (``aws_profile``).
"""

import random
from typing import Any

import botocore.session
from botocore.config import Config
from botocore.configprovider import ConstantProvider

from service.aws_profile import service_endpoint
from service.config import Settings
from service.dynamodb.network import is_refused_by_proxy, proxy_of
from service.dynamodb.refusals import is_key_throttled

ATTEMPTS = 5
"""Of one request, botocore's retries included."""

AS_GIVEN = Config(use_fips_endpoint=False, use_dualstack_endpoint=False)
"""For a client whose URL is set: AWS's variables for FIPS and dual-stack choose between AWS's own hosts, and botocore refuses
both."""

OURS = frozenset({"dynamodb", "dynamodbstreams"})
"""The services whose URLs are the settings'."""

FIRST_WAIT_SECONDS = 0.05


class BotocoreSession(botocore.session.Session):  # type: ignore[misc]  # botocore has no types
    """A session by the settings. Its clients are also those with which the credential chain asks STS or SSO."""

    def __init__(self, settings: Settings) -> None:
        super().__init__()
        self.set_config_variable("region", settings.aws_region)
        bundle = None if settings.ca_bundle is None else str(settings.ca_bundle)
        self.get_component("config_store").set_config_provider("ca_bundle", ConstantProvider(bundle))
        self.register("needs-retry", _retried)

    def create_client(self, service_name: str, *given: Any, **named: Any) -> Any:
        """As botocore's. Raises Misconfigured also when the service's endpoint or its proxy is not a URL."""
        url = named.get("endpoint_url")
        if url is None and service_name not in OURS:
            url = service_endpoint(service_name)
        config = (named.get("config") or Config()).merge(Config(ignore_configured_endpoint_urls=True))
        named |= {"endpoint_url": url, "config": config if url is None else config.merge(AS_GIVEN)}
        client = super().create_client(service_name, *given, **named)
        proxy_of(client.meta.endpoint_url)
        return client


def _retried(
    attempts: int, response: Any = None, caught_exception: Exception | None = None, **_: object
) -> float | None:
    """Seconds after which a request is sent again that botocore would not; None: as botocore decides.

    Raises the exception of a request that no retry helps.
    """
    if caught_exception is not None:
        if is_refused_by_proxy(caught_exception):
            raise caught_exception
        return None
    said = response[1].get("Error", {}) if response is not None else {}
    if not is_key_throttled(str(said.get("Message"))) or attempts >= ATTEMPTS:
        return None
    return random.uniform(0, FIRST_WAIT_SECONDS * 2**attempts)
