"""A session with credentials that are kept while they last, for the clients of the control plane and of the credential chain."""

import logging
from typing import Any

import boto3.session
from botocore.config import Config
from botocore.credentials import Credentials as BotocoreCredentials
from botocore.exceptions import BotoCoreError

from service.config import Settings
from service.dynamodb.botocore_session import ATTEMPTS, BotocoreSession
from service.dynamodb.chain_errors import CHAIN_ERRORS, credential_error
from service.errors import Misconfigured, TablesplitError
from service.log import get_logger

# A failed renewal is reported by KeptCredentials, in one line; botocore would print its traceback.
logging.getLogger("botocore").addHandler(logging.NullHandler())


class KeptCredentials(BotocoreCredentials):  # type: ignore[misc]  # botocore has no types
    """The credentials of a provider. When they cannot be renewed, those in hand are used until they expire.

    botocore renews temporary credentials from 15 minutes before they expire, and fails from 10 minutes on when it cannot. The
    account's id is not known here, which would make endpoints of its own: no request needs them.
    """

    def __init__(self, provider: Any) -> None:
        super().__init__("unused", "unused", method=getattr(provider, "method", None))
        self._provider = provider
        self._kept: Any = None
        self.trouble: TablesplitError | None = None
        """Why the last renewal failed; None: it did not."""

    def get_frozen_credentials(self) -> Any:
        """Credentials to sign with now. Raises Retryable or Misconfigured when there are none that last."""
        try:
            self._kept = self._provider.get_frozen_credentials()
        except CHAIN_ERRORS as error:
            trouble = credential_error(error)
            if self._kept is None or self.expired():
                raise trouble from error
            self._report(trouble)
        else:
            self.trouble = None
        return self._kept

    def expired(self) -> bool:
        """Whether the credentials in hand no longer last. Those without an end last for ever."""
        needed = getattr(self._provider, "refresh_needed", None)
        return needed is not None and bool(needed(refresh_in=0))

    def _report(self, trouble: TablesplitError) -> None:
        if self.trouble is None or self.trouble.message != trouble.message:
            get_logger().warning(
                "the AWS credentials are not renewed yet; those in hand still last", **trouble.to_log()
            )
        self.trouble = trouble


class _KeepingResolver:
    """botocore's provider chain, each of whose credentials is a KeptCredentials."""

    def __init__(self, chain: Any) -> None:
        self._chain = chain

    def load_credentials(self) -> KeptCredentials | None:
        """The first provider's that has some. Raises Retryable or Misconfigured."""
        try:
            found = self._chain.load_credentials()
        except CHAIN_ERRORS as error:
            raise credential_error(error) from error
        return None if found is None else KeptCredentials(found)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._chain, name)


def botocore_session(settings: Settings) -> Any:
    """A new session. Raises Misconfigured when the profile or the region cannot be used."""
    session = BotocoreSession(settings)
    session.set_default_client_config(
        Config(
            connect_timeout=settings.connect_timeout_seconds,
            read_timeout=settings.request_timeout_seconds,
            retries={"mode": "standard", "total_max_attempts": ATTEMPTS},
        )
    )
    try:
        chain = session.get_component("credential_provider")
    except BotoCoreError as error:
        raise Misconfigured(f"the AWS profile cannot be used: {error}", remedy="correct AWS_PROFILE") from error
    session.register_component("credential_provider", _KeepingResolver(chain))
    return session


def aws_session(settings: Settings) -> boto3.session.Session:
    """boto3's session over a new ``botocore_session``."""
    return boto3.session.Session(botocore_session=botocore_session(settings))
