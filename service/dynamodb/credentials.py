"""AWS credentials for the data plane, from botocore's provider chain. The chain runs in a thread, and its result is cached."""

import asyncio
from collections.abc import Callable
from typing import Any

import botocore.session
from botocore.exceptions import BotoCoreError

from service.clock import Clock
from service.dynamodb.signing import Credentials
from service.errors import Misconfigured

CACHE_SECONDS = 60.0
"""botocore renews temporary credentials from 15 minutes before they expire, but only when asked; once a minute is enough."""

RENEWAL_REMEDY = "renew them (`aws sso login`, or new AWS_ACCESS_KEY_ID values), then run the same command"


class CredentialSource:
    """The credentials to sign with now. Many tasks may use it at once: only one of them asks botocore."""

    def __init__(self, clock: Clock, load: Callable[[], Callable[[], Credentials]] | None = None) -> None:
        self._clock = clock
        self._load = load or load_from_chain
        self._provider: Callable[[], Credentials] | None = None
        self._current: Credentials | None = None
        self._fresh_until = 0.0
        self._lock = asyncio.Lock()

    async def current(self) -> Credentials:
        """Credentials that botocore considered valid at most a minute ago. Raises Misconfigured when there are none."""
        if self._is_stale():
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

    def _is_stale(self) -> bool:
        return self._current is None or self._clock.monotonic() >= self._fresh_until

    async def _refresh(self) -> None:
        async with self._lock:
            if self._is_stale():
                await self._fetch()

    async def _fetch(self) -> None:
        if self._provider is None:
            self._provider = await asyncio.to_thread(self._load)
        self._current = await asyncio.to_thread(self._provider)
        self._fresh_until = self._clock.monotonic() + CACHE_SECONDS


def load_from_chain() -> Callable[[], Credentials]:
    """Find the credentials provider (environment, files, container, instance ...). The returned function gets credentials from it.

    Both may make a network request. Raises Misconfigured when no provider has credentials.
    """
    provider = _translate_errors(botocore.session.Session().get_credentials)
    if provider is None:
        raise no_credentials()

    def current() -> Credentials:
        frozen = _translate_errors(provider.get_frozen_credentials)
        return Credentials(frozen.access_key, frozen.secret_key, frozen.token)

    return current


def no_credentials() -> Misconfigured:
    """The error for an empty provider chain."""
    return Misconfigured(
        "no AWS credentials were found",
        remedy="set AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY (a local server takes any)",
    )


def expired_credentials() -> Misconfigured:
    """The error for credentials that the server rejects as expired and the chain does not renew."""
    return Misconfigured("the AWS credentials have expired", remedy=RENEWAL_REMEDY)


def _translate_errors(call: Callable[[], Any]) -> Any:
    try:
        return call()
    except BotoCoreError as error:
        raise Misconfigured(f"the AWS credentials cannot be loaded: {error}", remedy=RENEWAL_REMEDY) from error
