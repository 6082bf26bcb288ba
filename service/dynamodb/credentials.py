"""AWS credentials for the data plane, by botocore's provider chain. The chain runs in a thread, and its result is cached.

Of the chain, the environment is read here: botocore is imported only where another place of it must be asked.
A renewal may take as long as a service that does not answer: requests go on with the credentials in hand while these last.
"""

import asyncio
import random
from collections.abc import Callable
from functools import partial
from typing import Protocol

from service.aws_profile import keys_in_environment
from service.clock import Clock
from service.config import Settings
from service.dynamodb.credential_errors import NOT_RENEWED, expired_credentials, sendable
from service.dynamodb.signing import Credentials

CACHE_SECONDS = 60.0
"""botocore renews temporary credentials from 15 minutes before they expire, but only when asked; once a minute is enough."""

RETRY_SECONDS = (5.0, 15.0)
"""Between two tries when a renewal has failed."""

RENEWAL_SECONDS = 1.0
"""How long a request waits for a renewal while the credentials in hand still last."""


class Provider(Protocol):
    """Gives credentials, and renews them when they are about to expire. Both calls may block."""

    def current(self) -> Credentials:
        """Credentials that last. Raises Retryable or Misconfigured when there are none."""

    def expired(self) -> bool:
        """Whether those that were given last no longer last."""

    def failed(self) -> bool:
        """Whether the last renewal has failed, though the credentials in hand last."""


class CredentialSource:
    """The credentials to sign with now. Many tasks may use it at once: only one of them asks botocore."""

    def __init__(
        self, clock: Clock, load: Callable[[], Provider], retried: Callable[[str], None] = lambda _: None
    ) -> None:
        """``retried`` is called with the reason of each renewal that is to be tried again."""
        self._clock = clock
        self._load = load
        self._retried = retried
        self._provider: Provider | None = None
        self._current: Credentials | None = None
        self._fresh_until = 0.0
        self._lock = asyncio.Lock()
        self._renewal: asyncio.Task[None] | None = None

    async def current(self) -> Credentials:
        """Credentials that botocore considered valid at most a minute ago, or those in hand if they cannot be renewed and last.

        Raises Retryable or Misconfigured when there are none.
        """
        if self._current is None or self._clock.monotonic() >= self._fresh_until:
            await self._refresh()
        assert self._current is not None
        return self._current

    async def renew(self, refused: Credentials) -> None:
        """Load the provider chain again after the server rejected ``refused`` as expired.

        Raises Misconfigured when the chain still gives the same credentials.
        """
        async with self._lock:
            if self._current != refused:
                return
            self._provider = None
            await self._fetch()
            if self._current == refused:
                self._current = None
                raise expired_credentials()

    async def _refresh(self) -> None:
        """Wait for a renewal: to its end when there are no credentials that last, else for a moment."""
        begun = self._renewal is None
        if self._renewal is None:
            self._renewal = asyncio.create_task(self._renew_stale())
            self._renewal.add_done_callback(self._renewed)
        renewal = self._renewal
        if self._current is None or self._provider is None or self._provider.expired():
            await asyncio.shield(renewal)
        elif begun:
            await asyncio.wait({renewal}, timeout=RENEWAL_SECONDS)

    def _renewed(self, renewal: asyncio.Task[None]) -> None:
        self._renewal = None
        if not renewal.cancelled():
            renewal.exception()  # whoever waited for it has raised it

    async def _renew_stale(self) -> None:
        async with self._lock:
            if self._current is None or self._clock.monotonic() >= self._fresh_until:
                await self._fetch()

    async def _fetch(self) -> None:
        if self._provider is None:
            self._provider = await asyncio.to_thread(self._load)
        self._current = await asyncio.to_thread(self._provider.current)
        seconds = CACHE_SECONDS
        if self._provider.failed():
            self._retried(NOT_RENEWED)
            seconds = random.uniform(*RETRY_SECONDS)
        self._fresh_until = self._clock.monotonic() + seconds


def chain_of(settings: Settings) -> Callable[[], Provider]:
    """What finds the credentials for ``settings``."""
    return partial(_found, settings)


def _found(settings: Settings) -> Provider:
    """The first of botocore's chain that has credentials. Raises as ``ChainProvider`` does."""
    keys = keys_in_environment()
    if keys is not None:
        return Given(Credentials(*keys))
    from service.dynamodb.credential_chain import ChainProvider

    return ChainProvider(settings)


class Given:
    """Credentials that last, and that nothing renews."""

    def __init__(self, credentials: Credentials) -> None:
        """Raises Misconfigured when no header can carry them."""
        self._credentials = sendable(credentials)

    def current(self) -> Credentials:
        return self._credentials

    def expired(self) -> bool:
        return False

    def failed(self) -> bool:
        return False
