"""The data plane: one asyncio client for items and streams."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Self

import aiohttp

from service.clock import Clock
from service.config import Settings
from service.dynamodb.caller import Caller
from service.dynamodb.credentials import CredentialSource, chain_of
from service.dynamodb.endpoints import resolve_endpoints
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
        async with _connections(settings) as http:

            def caller(prefix: str, endpoint: str) -> Caller:
                api = Api(prefix, endpoint, endpoints.region, proxy_of(endpoint))
                transport = Transport(http, api, source, clock, settings.request_timeout_seconds)
                return Caller(transport, retries, metrics, clock)

            yield cls(caller(ITEMS_TARGET, endpoints.items), caller(STREAMS_TARGET, endpoints.streams))


def _connections(settings: Settings) -> aiohttp.ClientSession:
    """The pool: at most ``settings.connections`` at once. DynamoDB closes idle connections after some minutes."""
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=settings.connections, ttl_dns_cache=60, ssl=certificates(settings)),
        timeout=aiohttp.ClientTimeout(
            total=settings.request_timeout_seconds, sock_connect=settings.connect_timeout_seconds
        ),
        cookie_jar=aiohttp.DummyCookieJar(),
        # The CRC32 covers the bytes as sent, and uncompressed answers cost no CPU to unpack.
        auto_decompress=False,
        skip_auto_headers=("Accept", "Accept-Encoding", "User-Agent", "Content-Type"),
    )
