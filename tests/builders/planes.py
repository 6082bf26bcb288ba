"""DynamoDB clients for tests: of any endpoint, with a clock whose waits take no time."""

import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from service.config import Settings
from service.dynamodb.client import DynamoDBClient
from service.dynamodb.credentials import CredentialSource, Provider
from service.dynamodb.signing import Credentials


@dataclass
class WaitlessClock:
    """Real time of day; sleeping only advances the monotonic clock."""

    elapsed: float = 0.0
    waits: list[float] = field(default_factory=list)

    def monotonic(self) -> float:
        return self.elapsed

    def now(self) -> float:
        return time.time()

    async def sleep(self, seconds: float) -> None:
        self.waits.append(seconds)
        self.elapsed += seconds


@dataclass
class RetryLog:
    """Records the calls of the metrics."""

    retried: list[str] = field(default_factory=list)
    requests: list[tuple[str, str]] = field(default_factory=list)
    units: Counter[tuple[str, str]] = field(default_factory=Counter)

    def count_retry(self, reason: str) -> None:
        self.retried.append(reason)

    def count_request(self, operation: str, result: str, seconds: float) -> None:
        assert seconds >= 0
        self.requests.append((operation, result))

    def count_units(self, table: str, kind: str, units: float) -> None:
        self.units[table, kind] += units  # type: ignore[assignment]  # a Counter adds floats, too


@dataclass
class FixedProvider:
    """Gives the same credentials, which last."""

    credentials: Credentials

    def current(self) -> Credentials:
        return self.credentials

    def expired(self) -> bool:
        return False

    def failed(self) -> bool:
        return False


def plane_settings(url: str | None, **changes: Any) -> Settings:
    """Settings for the endpoint at ``url``."""
    return Settings(**{"aws_region": "ap-southeast-2", "endpoint_url": url, **changes})


def fixed_credentials(clock: WaitlessClock, *later: str) -> CredentialSource:
    """Credentials ``first``, then the next of ``later`` each time the chain is loaded; the last one stays."""
    names = ["first", *later]

    def load() -> Provider:
        return FixedProvider(Credentials(names.pop(0) if len(names) > 1 else names[0], "secret", "token"))

    return CredentialSource(clock, load)


@asynccontextmanager
async def open_plane(
    url: str | None,
    *,
    clock: WaitlessClock | None = None,
    retries: RetryLog | None = None,
    credentials: CredentialSource | None = None,
    **changes: Any,
) -> AsyncIterator[DynamoDBClient]:
    """A client of the server at ``url``; ``changes`` are settings."""
    clock = clock or WaitlessClock()
    opened = DynamoDBClient.open(
        plane_settings(url, **changes),
        retries or RetryLog(),
        clock,
        credentials=credentials or fixed_credentials(clock),
    )
    async with opened as client:
        yield client
