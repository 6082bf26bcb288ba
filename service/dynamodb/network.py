"""How requests of the data plane reach AWS: the proxy and the certificates, by the rules that boto3 follows for its own requests.

HTTPS_PROXY, HTTP_PROXY and NO_PROXY: https://docs.aws.amazon.com/cli/latest/userguide/cli-configure-proxy.html.
"""

import re
import ssl
from urllib.parse import urlsplit
from urllib.request import getproxies

from service.aws_profile import proxy_variable
from service.config import Settings
from service.errors import PROXY_REMEDY, Misconfigured, Retryable, TablesplitError
from service.hosts import is_server_url

PROXY_LOGIN = 407
LOGIN_TO_PROXY = "write the proxy's user and password into HTTPS_PROXY: http://user:password@host:port"
PROXY_FORM = "write it like http://host:port; NO_PROXY names what is reached without it"

_TUNNEL = re.compile(r"Tunnel connection failed: (\d{3})")
"""What Python's http.client says of a proxy's answer to CONNECT."""


def proxy_of(endpoint: str) -> str | None:
    """The URL of the proxy through which ``endpoint`` is reached; None: directly. Raises Misconfigured when it is none of HTTP."""
    if not getproxies():
        return None
    from botocore.utils import get_environ_proxies  # it knows what NO_PROXY means, and takes long to import

    scheme = urlsplit(endpoint).scheme
    proxy = get_environ_proxies(endpoint).get(scheme)
    if not proxy:
        return None
    url = proxy if "://" in proxy else f"http://{proxy.removeprefix('//')}"
    if not is_server_url(url):
        shown = proxy.rpartition("@")[2]
        raise Misconfigured(f"{proxy_variable(scheme)}={shown}: not the URL of an HTTP proxy", remedy=PROXY_FORM)
    return url


def proxy_error(what: object, endpoint: str, status: int | None) -> TablesplitError:
    """The error for a request, ``what``, that a proxy does not carry. ``status``: its answer to CONNECT; None: it gave none."""
    if status is None:
        return Retryable(f"{what}: the proxy does not lead to {endpoint}", reason="no_connection", remedy=PROXY_REMEDY)
    if status >= 500:
        return Retryable(
            f"{what}: the proxy does not reach {endpoint}: status {status}",
            reason="no_connection",
            remedy=PROXY_REMEDY,
        )
    return Misconfigured(
        f"{what}: the proxy refuses to connect to {endpoint}: status {status}",
        remedy=LOGIN_TO_PROXY if status == PROXY_LOGIN else PROXY_REMEDY,
    )


def tunnel_status(error: Exception | None) -> int | None:
    """The proxy's answer to CONNECT, from an exception of botocore; None: it is about something else."""
    from botocore.exceptions import ProxyConnectionError  # imported already where it was raised

    if not isinstance(error, ProxyConnectionError):
        return None
    found = _TUNNEL.search(str(error.kwargs.get("error")))
    return int(found[1]) if found else None


def is_refused_by_proxy(error: Exception) -> bool:
    """Whether the proxy has refused the request, so that it need not be sent again."""
    status = tunnel_status(error)
    return status is not None and status < 500


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
