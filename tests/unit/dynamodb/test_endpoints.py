"""The endpoints of requests."""

import pytest

from service.dynamodb.endpoints import Endpoints, resolve_endpoints
from service.errors import Misconfigured
from tests.builders.planes import plane_settings


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
    assert resolve_endpoints(plane_settings(None, aws_region=region)) == Endpoints(items, streams, region)


@pytest.mark.parametrize(
    ("region", "fips", "dual_stack", "items", "streams"),
    [
        (
            "us-east-1",
            True,
            False,
            "dynamodb-fips.us-east-1.amazonaws.com",
            "streams.dynamodb-fips.us-east-1.amazonaws.com",
        ),
        (
            "us-gov-west-1",
            False,
            False,
            "dynamodb.us-gov-west-1.amazonaws.com",
            "streams.dynamodb.us-gov-west-1.amazonaws.com",
        ),
        (
            "us-gov-west-1",
            True,
            False,
            "dynamodb-fips.us-gov-west-1.amazonaws.com",
            "streams.dynamodb.us-gov-west-1.amazonaws.com",
        ),
        ("eu-west-1", False, True, "dynamodb.eu-west-1.api.aws", "streams.dynamodb.eu-west-1.api.aws"),
    ],
)
def test_fips_and_dual_stack_choose_aws_s_hosts(
    monkeypatch: pytest.MonkeyPatch, region: str, fips: bool, dual_stack: bool, items: str, streams: str
) -> None:
    monkeypatch.setenv("AWS_USE_FIPS_ENDPOINT", str(fips))
    monkeypatch.setenv("AWS_USE_DUALSTACK_ENDPOINT", str(dual_stack))
    endpoints = resolve_endpoints(plane_settings(None, aws_region=region))
    assert endpoints == Endpoints(f"https://{items}", f"https://{streams}", region)


def test_a_configured_endpoint_serves_both() -> None:
    url = "http://localhost:8000"
    assert resolve_endpoints(plane_settings(url)) == Endpoints(url, url, "ap-southeast-2")


def test_an_empty_name_of_certificates_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_CA_BUNDLE", "")
    assert resolve_endpoints(plane_settings(None)).items == "https://dynamodb.ap-southeast-2.amazonaws.com"


def test_a_region_that_cannot_be_one_is_refused() -> None:
    with pytest.raises(Misconfigured, match=r"^AWS_REGION=a b: no endpoint of dynamodb: "):
        resolve_endpoints(plane_settings(None, aws_region="a b"))
