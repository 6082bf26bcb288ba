"""The endpoints of requests."""

import pytest

from service.dynamodb.endpoints import Endpoints, resolve_endpoints
from service.errors import Misconfigured


@pytest.fixture(autouse=True)
def no_aws_configuration(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (
        "AWS_ENDPOINT_URL",
        "AWS_ENDPOINT_URL_DYNAMODB",
        "AWS_ENDPOINT_URL_DYNAMODB_STREAMS",
        "AWS_PROFILE",
    ):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", "/nonexistent")


@pytest.mark.parametrize(
    ("region", "items", "streams"),
    [
        (
            "ap-southeast-2",
            "https://dynamodb.ap-southeast-2.amazonaws.com",
            "https://streams.dynamodb.ap-southeast-2.amazonaws.com",
        ),
        (
            "cn-north-1",
            "https://dynamodb.cn-north-1.amazonaws.com.cn",
            "https://streams.dynamodb.cn-north-1.amazonaws.com.cn",
        ),
    ],
)
def test_each_service_has_its_own_endpoint_in_aws(region: str, items: str, streams: str) -> None:
    assert resolve_endpoints(region, None) == Endpoints(items, streams, region)


def test_a_configured_endpoint_serves_both() -> None:
    url = "http://localhost:8000"
    assert resolve_endpoints("ap-southeast-2", url) == Endpoints(url, url, "ap-southeast-2")


@pytest.mark.parametrize("url", ["nonsense", "localhost:8000", "http://", "http://host:port", "http://host:99999"])
def test_an_endpoint_that_cannot_be_one_is_refused(url: str) -> None:
    with pytest.raises(Misconfigured) as caught:
        resolve_endpoints("ap-southeast-2", url)
    assert str(caught.value) == f"AWS_ENDPOINT_URL={url}: not the URL of a server"
    assert caught.value.remedy == "write it like http://localhost:8000"


def test_a_region_that_cannot_be_one_is_refused() -> None:
    with pytest.raises(Misconfigured, match=r"^AWS_REGION=a b: no endpoint of dynamodb: "):
        resolve_endpoints("a b", None)
