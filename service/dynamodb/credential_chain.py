"""The credentials that botocore's provider chain finds: environment, files, SSO, web identity, container, instance ..."""

from service.aws_profile import instance_is_asked
from service.config import Settings
from service.dynamodb.aws_session import KeptCredentials, botocore_session
from service.dynamodb.credential_errors import no_credentials, sendable
from service.dynamodb.signing import Credentials


class ChainProvider:
    """The first of the chain that has credentials, which renews them. A ``credentials.Provider``."""

    def __init__(self, settings: Settings) -> None:
        """Raises Misconfigured when no provider has credentials. May make a network request."""
        found = botocore_session(settings).get_credentials()
        if found is None:
            raise no_credentials(instance_asked=instance_is_asked())
        assert isinstance(found, KeptCredentials)
        self._kept = found

    def current(self) -> Credentials:
        frozen = self._kept.get_frozen_credentials()
        return sendable(Credentials(frozen.access_key, frozen.secret_key, frozen.token))

    def expired(self) -> bool:
        return self._kept.expired()

    def failed(self) -> bool:
        return self._kept.trouble is not None
