"""How the control plane handles servers that refuse, or that do not answer."""

import asyncio

import pytest

from service.dynamodb.control_plane import ControlPlane
from service.errors import Fatal, Misconfigured, Retryable, TablesplitError
from tests.builders.planes import plane_settings
from tests.fakes.scripted_endpoint import Reply, error, fault_server, hang


@pytest.fixture(autouse=True)
def some_credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")


REFUSALS: list[tuple[Reply, type[TablesplitError], str, str]] = [
    (
        error("AccessDeniedException", "User: eve is not authorized to perform: dynamodb:DescribeTable on x"),
        Fatal,
        "DescribeTable on Leads: no permission for dynamodb:DescribeTable",
        "add dynamodb:DescribeTable on Leads to the policy of eve",
    ),
    (
        error("UnrecognizedClientException", "The security token is invalid."),
        Misconfigured,
        "DescribeTable on Leads: URL refuses the AWS credentials (UnrecognizedClientException)",
        "check AWS_PROFILE, or the key, secret and session token, and region ap-southeast-2",
    ),
    (
        error("ExpiredTokenException", "The security token is expired"),
        Misconfigured,
        "the AWS credentials have expired",
        "renew them (`aws sso login`, or new AWS_ACCESS_KEY_ID values), then run the same command",
    ),
    (
        error("ValidationException", "Invalid table name"),
        Fatal,
        "DescribeTable on Leads: URL refuses the request: ValidationException: Invalid table name",
        "check the endpoint (AWS_ENDPOINT_URL) and the table names; if they are right, report this line",
    ),
]


@pytest.mark.parametrize(("reply", "kind", "message", "remedy"), REFUSALS)
async def test_a_refusal_is_one_line_with_a_remedy(
    reply: Reply, kind: type[TablesplitError], message: str, remedy: str
) -> None:
    async with fault_server(reply) as server:
        control = ControlPlane(plane_settings(server.url))
        with pytest.raises(kind) as caught:
            await asyncio.to_thread(control.describe_table, "Leads")
        assert type(caught.value) is kind
        assert str(caught.value) == message.replace("URL", server.url)
        assert caught.value.remedy == remedy


async def test_the_servers_time_is_read_from_a_refusal_too() -> None:
    async with fault_server(error("AccessDeniedException", date="Thu, 01 Jan 1970 00:01:00 GMT")) as server:
        control = ControlPlane(plane_settings(server.url))
        assert await asyncio.to_thread(control.server_time) == 60.0


async def test_an_endpoint_that_is_down_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("service.dynamodb.botocore_calls.ATTEMPTS", 1)
    async with fault_server() as server:
        url = server.url
    control = ControlPlane(plane_settings(url))
    with pytest.raises(Retryable) as caught:
        await asyncio.to_thread(control.describe_table, "Leads")
    assert str(caught.value) == f"DescribeTable on Leads: cannot connect to {url}"
    assert caught.value.remedy == "check that the endpoint is up and reachable (AWS_REGION, AWS_ENDPOINT_URL)"


async def test_an_endpoint_that_hangs_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("service.dynamodb.botocore_calls.ATTEMPTS", 1)
    async with fault_server(hang) as server:
        control = ControlPlane(plane_settings(server.url, request_timeout_seconds=0.5))
        with pytest.raises(Retryable) as caught:
            await asyncio.to_thread(control.describe_table, "Leads")
        assert str(caught.value) == f"DescribeTable on Leads: no answer from {server.url} in time"


def test_a_region_that_cannot_be_one_is_refused() -> None:
    with pytest.raises(Misconfigured, match=r"^AWS cannot be used as configured: ") as caught:
        ControlPlane(plane_settings(None, aws_region="a b")).describe_table("Leads")
    assert caught.value.remedy == "check AWS_REGION, AWS_PROFILE and AWS_ENDPOINT_URL"
