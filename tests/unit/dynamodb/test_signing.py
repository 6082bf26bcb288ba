"""Signatures equal botocore's."""

from datetime import UTC, datetime
from unittest.mock import patch

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials as BotocoreCredentials
from hypothesis import given, settings
from hypothesis import strategies as st

from service.dynamodb.signing import Credentials, Signer

MOMENTS = st.floats(min_value=1_400_000_000, max_value=4_000_000_000)
ENDPOINTS = st.sampled_from(
    [
        "https://dynamodb.ap-southeast-2.amazonaws.com",
        "https://streams.dynamodb.us-east-1.amazonaws.com:443",
        "http://127.0.0.1:8000",
        "http://[::1]:8000/",
        "http://localhost:80",
        "https://proxy.example/a path/of its own",
    ]
)
KEYS = st.text(st.characters(codec="ascii", categories=["L", "N"]), min_size=1, max_size=40)


def botocore_headers(
    endpoint: str, region: str, credentials: Credentials, target: str, body: bytes, now: float
) -> dict[str, str]:
    """The headers that botocore would send."""
    headers = {"content-type": "application/x-amz-json-1.0", "x-amz-target": target}
    request = AWSRequest("POST", endpoint, headers=headers, data=body)
    keys = BotocoreCredentials(credentials.access_key, credentials.secret_key, credentials.token)
    moment = datetime.fromtimestamp(int(now), UTC).replace(tzinfo=None)
    with patch("botocore.auth.get_current_datetime", return_value=moment):
        SigV4Auth(keys, "dynamodb", region).add_auth(request)
    return {name.lower(): value for name, value in request.headers.items()}


@settings(max_examples=100)
@given(
    endpoint=ENDPOINTS,
    region=st.sampled_from(["ap-southeast-2", "us-gov-west-1"]),
    credentials=st.builds(Credentials, KEYS, KEYS, st.none() | KEYS),
    target=st.sampled_from(["DynamoDB_20120810.PutItem", "DynamoDBStreams_20120810.GetRecords"]),
    body=st.binary(max_size=200),
    now=MOMENTS,
)
def test_signature_equals_botocores(
    endpoint: str, region: str, credentials: Credentials, target: str, body: bytes, now: float
) -> None:
    ours = Signer(endpoint, region).headers(credentials, target, body, now)
    theirs = botocore_headers(endpoint, region, credentials, target, body, now)
    assert {name: value for name, value in ours.items() if name != "host"} == theirs


@pytest.mark.parametrize(
    ("endpoint", "host"),
    [
        ("https://dynamodb.us-east-1.amazonaws.com", "dynamodb.us-east-1.amazonaws.com"),
        ("https://a.example:443", "a.example"),
        ("http://127.0.0.1:8000", "127.0.0.1:8000"),
        ("http://[::1]:8000", "[::1]:8000"),
    ],
)
def test_host_header_leaves_the_default_port_out(endpoint: str, host: str) -> None:
    assert Signer(endpoint, "us-east-1").headers(Credentials("a", "b"), "t", b"", 0)["host"] == host


def test_the_signing_key_changes_with_the_day() -> None:
    signer, credentials = Signer("http://a", "us-east-1"), Credentials("a", "b")
    evening = signer.headers(credentials, "t", b"", 86_399)["authorization"]
    midnight = signer.headers(credentials, "t", b"", 86_400)["authorization"]
    assert "/19700101/" in evening
    assert "/19700102/" in midnight
