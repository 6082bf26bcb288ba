"""How requests of the data plane reach AWS: the proxy and the certificates, by the rules that boto3 follows for its own requests.

HTTPS_PROXY, HTTP_PROXY and NO_PROXY: https://docs.aws.amazon.com/cli/latest/userguide/cli-configure-proxy.html. aiohttp's own
reading of them would also take passwords from ~/.netrc, which cannot stand beside a signature.
"""

import ssl
from urllib.parse import urlsplit

from botocore.utils import get_environ_proxies

from service.config import Settings
from service.errors import Misconfigured


def proxy_of(endpoint: str) -> str | None:
    """The URL of the proxy through which ``endpoint`` is reached; None: directly."""
    proxy = get_environ_proxies(endpoint).get(urlsplit(endpoint).scheme)
    if not proxy:
        return None
    return proxy if "://" in proxy else f"http://{proxy.removeprefix('//')}"


def certificates(settings: Settings) -> ssl.SSLContext:
    """What servers and proxies are verified with. Raises Misconfigured when the file of certificates cannot be used."""
    if settings.ca_bundle is None:
        return ssl.create_default_context()
    try:
        return ssl.create_default_context(cafile=str(settings.ca_bundle))
    except (ssl.SSLError, OSError) as error:
        raise Misconfigured(
            f"AWS_CA_BUNDLE={settings.ca_bundle}: no certificates in it: {error}",
            remedy="give a file of certificates in PEM form (AWS_CA_BUNDLE, or SSL_CERT_FILE)",
        ) from error
