"""AWS credentials for the data plane: botocore's provider chain, asked in a thread and remembered between
requests."""

import asyncio
from collections.abc import Callable
from typing import Any

import botocore.session
from botocore.exceptions import BotoCoreError

from service.clock import Clock
from service.dynamodb.signing import Credentials
from service.errors import Misconfigured

LOOK_AGAIN_SECONDS = 60.0
"""botocore renews temporary credentials from 15 minutes before their end when it is asked; asking each minute
is enough."""

RENEWAL_REMEDY = "renew them (`aws sso login`, or new AWS_ACCESS_KEY_ID values), then run the same command"


class CredentialSource:
    """The credentials to sign with now. Safe for many tasks at once: only one of them asks botocore."""

    def __init__(self, clock: Clock, load: Callable[[], Callable[[], Credentials]] | None = None) -> None:
        self._clock = clock
        self._load = load or load_from_chain
        self._ask: Callable[[], Credentials] | None = None
        self._current: Credentials | None = None
        self._look_again = 0.0
        self._lock = asyncio.Lock()

    async def current(self) -> Credentials:
        """Credentials that botocore holds for valid, at most a minute old. Raises Misconfigured when there
        are none."""
        if self._current is None or self._clock.monotonic() >= self._look_again:
            await self._look()
        assert self._current is not None
        return self._current

    async def renew(self, refused: Credentials) -> None:
        """Load the chain anew after the server called ``refused`` expired. Raises Misconfigured when it still
        gives the same."""
        async with self._lock:
            if self._current != refused:
                return
            self._ask = None
            await self._read()
            if self._current == refused:
                self._current = None
                raise expired_credentials()

    async def _look(self) -> None:
        async with self._lock:
            if self._current is None or self._clock.monotonic() >= self._look_again:
                await self._read()

    async def _read(self) -> None:
        if self._ask is None:
            self._ask = await asyncio.to_thread(self._load)
        self._current = await asyncio.to_thread(self._ask)
        self._look_again = self._clock.monotonic() + LOOK_AGAIN_SECONDS


def load_from_chain() -> Callable[[], Credentials]:
    """Find the credentials provider (environment, files, container, instance ...); the function returned asks
    it.

    Both may take a network request. Raises Misconfigured when no provider has any.
    """
    found = _guarded(botocore.session.Session().get_credentials)
    if found is None:
        raise no_credentials()

    def ask() -> Credentials:
        frozen = _guarded(found.get_frozen_credentials)
        return Credentials(frozen.access_key, frozen.secret_key, frozen.token)

    return ask


def no_credentials() -> Misconfigured:
    """The error for an empty provider chain."""
    return Misconfigured(
        "no AWS credentials were found",
        remedy="set AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY (a local server takes any)",
    )


def expired_credentials() -> Misconfigured:
    """The error for credentials that the server calls expired and the chain does not renew."""
    return Misconfigured("the AWS credentials have expired", remedy=RENEWAL_REMEDY)


def _guarded(call: Callable[[], Any]) -> Any:
    try:
        return call()
    except BotoCoreError as error:
        raise Misconfigured(f"the AWS credentials cannot be loaded: {error}", remedy=RENEWAL_REMEDY) from error
