"""What the host of an endpoint says: whether it is beside this process, or AWS's."""

import re
from ipaddress import ip_address
from urllib.parse import urlsplit, urlunsplit

LOCAL_NAMES = ("localhost", "host.docker.internal")
AWS_NAMES = (
    ".amazonaws.com",
    ".amazonaws.com.cn",
    ".api.aws",
    ".api.amazonwebservices.com.cn",
    ".amazonaws.eu",
)
"""The ends of AWS's own host names, also of VPC endpoints: https://docs.aws.amazon.com/general/latest/gr/rande.html."""

_REGION = re.compile(r"[a-z]+(-[a-z]+)+-[0-9]+")


def host_of(url: str | None) -> str:
    """The host of ``url`` in lower case, without brackets; "" when there is none."""
    try:
        return urlsplit(url or "").hostname or ""
    except ValueError:
        return ""


def is_local(endpoint_url: str | None) -> bool:
    """Whether the endpoint is a server on this machine or beside it: a loopback address, one of LOCAL_NAMES, or a name without a
    dot, as containers of one network have. None is AWS."""
    host = host_of(endpoint_url)
    if host in LOCAL_NAMES or host.endswith(".localhost"):
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return bool(host) and "." not in host


def is_aws(endpoint_url: str | None) -> bool:
    """Whether the endpoint is AWS's: None, or a host of its own, such as a VPC endpoint."""
    return endpoint_url is None or host_of(endpoint_url).endswith(AWS_NAMES)


def is_server_url(url: str) -> bool:
    """Whether it is the URL of a server: http or https, a host, and a port that can be one if there is any."""
    try:
        parts = urlsplit(url)
        return parts.scheme in ("http", "https") and is_host(parts.hostname) and (parts.port is None or parts.port > 0)
    except ValueError:
        return False


def is_host(name: str | None) -> bool:
    """Whether the host of a URL can be one."""
    return bool(name) and not re.search(r"[\s<>\"]", name or "")


def region_of(url: str | None) -> str | None:
    """The region that the host of AWS's endpoint names; None: it is not AWS's, or names none.

    ``vpce-1.dynamodb.eu-west-1.vpce.amazonaws.com``: ``eu-west-1``.
    """
    if url is None or not is_aws(url):
        return None
    return next((label for label in reversed(host_of(url).split(".")) if _REGION.fullmatch(label)), None)


def without_password(url: str) -> str:
    """``url`` without ``user:password@``. The signature of a request needs the header that would carry them."""
    parts = urlsplit(url)
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))
