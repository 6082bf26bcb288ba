"""How long a signed request may arrive, and which endpoints are local."""

import pytest

from service.hosts import is_local
from service.signed_requests import signed_request_seconds

LOCAL = [
    "http://localhost:8000",
    "http://127.0.0.1:8000",
    "http://127.8.9.10",
    "http://[::1]:8000",
    "http://tables.localhost",
    "http://dynamodb-local:8000",
    "http://host.docker.internal:8000",
]
REMOTE = [
    None,
    "",
    "https://dynamodb.eu-west-1.amazonaws.com",
    "https://vpce-0a1b-2c3d.dynamodb.us-east-1.vpce.amazonaws.com",
    "http://10.0.0.8:8000",
    "https://localhost.example.com",
    "http://[::1",
]


@pytest.mark.parametrize("url", LOCAL)
def test_a_server_on_or_beside_this_machine_is_local(url: str) -> None:
    assert is_local(url)
    assert signed_request_seconds(url) == 0


@pytest.mark.parametrize("url", REMOTE)
def test_every_other_endpoint_may_hold_a_request_for_as_long_as_its_signature_lives(url: str | None) -> None:
    assert not is_local(url)
    assert signed_request_seconds(url) == 15 * 60 + 60
