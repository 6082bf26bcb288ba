"""The data plane: one asyncio client for items and streams."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from typing import Self

from service.clock import Clock
from service.config import Settings
from service.dynamodb.caller import Caller
from service.dynamodb.credentials import CredentialSource, chain_of
from service.dynamodb.endpoints import resolve_endpoints
from service.dynamodb.http.pool import Limits, open_pool
from service.dynamodb.items import ItemOperations
from service.dynamodb.metering import Meter
from service.dynamodb.network import certificates, proxy_of
from service.dynamodb.streams import StreamOperations
from service.dynamodb.transport import Api, Transport
from service.retry import RetryPolicy

ITEMS_TARGET = "DynamoDB_20120810"
STREAMS_TARGET = "DynamoDBStreams_20120810"


class DynamoDBClient(ItemOperations, StreamOperations):
    """Implements ``ItemStore`` and ``StreamStore`` over one connection pool. ``open`` makes it."""

    def __init__(self, items: Caller, streams: Caller) -> None:
        ItemOperations.__init__(self, items)
        StreamOperations.__init__(self, streams)

    @classmethod
    @asynccontextmanager
    async def open(
        cls,
        settings: Settings,
        metrics: Meter,
        clock: Clock,
        *,
        credentials: CredentialSource | None = None,
    ) -> AsyncIterator[Self]:
        """A client for the settings' region and endpoint. It sends nothing yet; its connections are closed at the end.

        Raises Misconfigured when region or endpoint is not valid. Missing credentials are reported by the first request.
        """
        endpoints = await asyncio.to_thread(resolve_endpoints, settings)
        source = credentials or CredentialSource(clock, chain_of(settings), metrics.count_retry)
        retries = RetryPolicy(clock, settings.max_attempts, settings.retry_deadline_seconds, metrics)
        proxies = {url: proxy_of(url) for url in (endpoints.items, endpoints.streams)}
        async with open_pool(_limits(settings), _verification(settings, (*proxies, *proxies.values()))) as pool:

            def caller(prefix: str, endpoint: str) -> Caller:
                api = Api(prefix, endpoint, endpoints.region, proxies[endpoint])
                return Caller(Transport(pool, api, source, clock), retries, metrics, clock)

            yield cls(caller(ITEMS_TARGET, endpoints.items), caller(STREAMS_TARGET, endpoints.streams))


def _verification(settings: Settings, urls: Iterable[str | None]) -> ssl.SSLContext:
    """What the servers at ``urls`` are verified with. Where none of them speaks TLS, nothing that would be trusted is loaded, which
    takes some hundredths of a second."""
    if any(url is not None and url.startswith("https:") for url in urls):
        return certificates(settings)
    return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


def _limits(settings: Settings) -> Limits:
    return Limits(settings.connections, settings.connect_timeout_seconds, settings.request_timeout_seconds)
