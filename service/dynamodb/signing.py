"""AWS Signature Version 4 for DynamoDB's JSON requests, with the signing key cached for the day.

Rules: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html. Every request is signed, so this
is a hot path: botocore's signer handles any service and any request, and takes much more CPU time. A test compares the signatures
of the two on random requests.
"""

import hashlib
import hmac
import time
from dataclasses import dataclass
from functools import lru_cache
from urllib.parse import quote, urlsplit

CONTENT_TYPE = "application/x-amz-json-1.0"
SIGNING_NAME = "dynamodb"
"""DynamoDB Streams uses the same name."""

_DEFAULT_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True)
class Credentials:
    """An access key pair, with the session token of temporary credentials."""

    access_key: str
    secret_key: str
    token: str | None = None


class Signer:
    """Signs requests to one endpoint of one region. ``path`` is that of the endpoint, as it is signed."""

    def __init__(self, endpoint: str, region: str) -> None:
        parts = urlsplit(endpoint)
        self._region = region
        self._host = _host_header(parts.scheme, parts.hostname or "", parts.port)
        self.path = quote(parts.path or "/", safe="/~")

    def headers(self, credentials: Credentials, target: str, body: bytes, now: float) -> dict[str, str]:
        """All headers of a POST of ``body`` to operation ``target`` at ``now`` (epoch seconds)."""
        timestamp = _timestamp(int(now))
        date = timestamp[:8]
        headers = {"content-type": CONTENT_TYPE, "host": self._host, "x-amz-date": timestamp}
        if credentials.token is not None:
            headers["x-amz-security-token"] = credentials.token
        headers["x-amz-target"] = target
        names = ";".join(headers)
        lines = "".join([f"{name}:{value}\n" for name, value in headers.items()])
        canonical = f"POST\n{self.path}\n\n{lines}\n{names}\n{hashlib.sha256(body).hexdigest()}"
        scope = f"{date}/{self._region}/{SIGNING_NAME}/aws4_request"
        string_to_sign = f"AWS4-HMAC-SHA256\n{timestamp}\n{scope}\n{hashlib.sha256(canonical.encode()).hexdigest()}"
        key = _signing_key(credentials.secret_key, date, self._region)
        signature = hmac.digest(key, string_to_sign.encode(), "sha256").hex()
        identity = f"Credential={credentials.access_key}/{scope}, SignedHeaders={names}"
        headers["authorization"] = f"AWS4-HMAC-SHA256 {identity}, Signature={signature}"
        return headers


def _host_header(scheme: str, host: str, port: int | None) -> str:
    name = f"[{host}]" if ":" in host else host
    return name if port in (None, _DEFAULT_PORTS.get(scheme)) else f"{name}:{port}"


@lru_cache(maxsize=4)
def _timestamp(second: int) -> str:
    return time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(second))


@lru_cache(maxsize=8)
def _signing_key(secret_key: str, date: str, region: str) -> bytes:
    key = f"AWS4{secret_key}".encode()
    for component in (date, region, SIGNING_NAME, "aws4_request"):
        key = hmac.digest(key, component.encode(), "sha256")
    return key
