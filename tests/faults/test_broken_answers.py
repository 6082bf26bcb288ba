"""How the data plane handles servers that misbehave: the exact line, and how often it retries."""

import pytest

from service.core.item.write import Absent, Delete, Exists, Put, Update
from service.dynamodb.error_answers import ITEM_REMEDY
from service.errors import (
    Fatal,
    Fenced,
    Misconfigured,
    Poison,
    Retryable,
    TableMissing,
    TablesplitError,
    Throttled,
)
from tests.builders.planes import RetryLog, WaitlessClock, fixed_credentials, open_plane
from tests.fakes.scripted_endpoint import Reply, answer, error, fault_server, hang, hang_up, raw

KEY = {"PK": {"S": "a"}, "SK": {"S": "b"}}
PUT = Put("Leads", KEY, Absent(("PK",)))
DENIED = (
    "User: arn:aws:iam::1:user/eve is not authorized to perform: dynamodb:PutItem on resource: "
    "arn:aws:dynamodb:ap-southeast-2:1:table/Leads because no identity-based policy allows it"
)
PASSING: list[tuple[str, Reply, str]] = [
    ("throttled", error("ProvisionedThroughputExceededException"), "throttled"),
    ("throttled", error("ThrottlingException"), "throttled"),
    ("throttled", error("RequestLimitExceeded"), "throttled"),
    ("conflict", error("TransactionConflictException"), "transaction_conflict"),
    ("in progress", error("TransactionInProgressException"), "transaction_conflict"),
    ("internal error", error("InternalServerError", status=500), "server_error"),
    ("unavailable", raw(b"<html>", status=503), "server_error"),
    ("wrong CRC", answer({}, crc=1), "damaged_answer"),
    ("half an answer", answer({"long": "x" * 100}, missing_bytes=50), "damaged_answer"),
    ("not JSON", raw(b"{"), "damaged_answer"),
    ("closed", hang_up, "connection_closed"),
]


@pytest.mark.parametrize(("name", "reply", "reason"), PASSING)
async def test_a_passing_error_is_retried_and_counted(name: str, reply: Reply, reason: str) -> None:
    log = RetryLog()
    async with fault_server(reply) as server, open_plane(server.url, retries=log) as plane:
        assert await plane.write(PUT) is True
        assert server.operations() == ["PutItem", "PutItem"]
        assert log.retried == [reason]


LASTING: list[tuple[Reply, type[TablesplitError], str, str]] = [
    (
        error("AccessDeniedException", DENIED),
        Fatal,
        "PutItem on Leads: no permission for dynamodb:PutItem",
        (
            'add {"Effect":"Allow","Action":"dynamodb:PutItem","Resource":"arn:aws:dynamodb:ap-southeast-2:1:table/Leads"}'
            " to the policy of arn:aws:iam::1:user/eve"
        ),
    ),
    (
        error("ResourceNotFoundException", "Requested resource not found"),
        TableMissing,
        "table Leads was not found in region ap-southeast-2 at URL",
        "check AWS_REGION and the table names, or run `tablesplit create-tables`",
    ),
    (
        error("UnrecognizedClientException", "The security token included in the request is invalid."),
        Misconfigured,
        "PutItem on Leads: URL refuses the AWS credentials (UnrecognizedClientException)",
        "check AWS_PROFILE, or the key, secret and session token, and region ap-southeast-2",
    ),
    (
        error("InvalidSignatureException", "Signature expired: 20200101T000000Z is now earlier than ..."),
        Misconfigured,
        (
            "PutItem on Leads: the signature's time was refused: Signature expired: 20200101T000000Z is now "
            "earlier than ..."
        ),
        "set this machine's clock (NTP)",
    ),
    (
        error("ValidationException", "Item size has exceeded\nthe maximum allowed size"),
        Poison,
        "PutItem on Leads: DynamoDB refuses the item: Item size has exceeded the maximum allowed size",
        ITEM_REMEDY,
    ),
    (
        error("SomethingNewException", "hm"),
        Fatal,
        "PutItem on Leads: URL refuses the request: SomethingNewException: hm",
        "check the endpoint (AWS_ENDPOINT_URL) and the table names; if they are right, report this line",
    ),
    (
        raw(b"<html>", status=404),
        Fatal,
        "PutItem on Leads: URL refuses the request: HTTP status 404: its answer is not JSON",
        "check the endpoint (AWS_ENDPOINT_URL) and the table names; if they are right, report this line",
    ),
]


@pytest.mark.parametrize(("reply", "kind", "message", "remedy"), LASTING)
async def test_a_lasting_error_ends_at_once_with_one_line(
    reply: Reply, kind: type[TablesplitError], message: str, remedy: str
) -> None:
    async with fault_server(reply) as server, open_plane(server.url) as plane:
        with pytest.raises(kind) as caught:
            await plane.write(PUT)
        assert type(caught.value) is kind
        assert str(caught.value) == message.replace("URL", server.url)
        assert caught.value.remedy == remedy
        assert server.operations() == ["PutItem"]


async def test_a_refused_condition_is_false() -> None:
    refusal = error("ConditionalCheckFailedException", "The conditional request failed")
    async with fault_server(refusal, refusal) as server, open_plane(server.url) as plane:
        assert await plane.write(PUT) is False
        assert await plane.write(Delete("Leads", KEY, Exists(("PK",)))) is False


async def test_an_endpoint_that_hangs_is_named_after_the_retries() -> None:
    async with (
        fault_server(hang, hang) as server,
        open_plane(server.url, request_timeout_seconds=0.5, max_attempts=2) as plane,
    ):
        with pytest.raises(Retryable) as caught:
            await plane.get("Leads", KEY)
        assert str(caught.value) == f"GetItem on Leads: no answer from {server.url} within 0.5 s"
        assert caught.value.reason == "timeout"
        assert caught.value.remedy == "check that the endpoint is up and reachable (AWS_REGION, AWS_ENDPOINT_URL)"


async def test_an_endpoint_that_is_down_is_named() -> None:
    async with fault_server() as server:
        url = server.url
    async with open_plane(url, max_attempts=2) as plane:
        with pytest.raises(Retryable, match=rf"^GetItem on Leads: cannot connect to {url}: ") as caught:
            await plane.get("Leads", KEY)
        assert caught.value.reason == "no_connection"


async def test_retries_end_at_the_number_of_attempts() -> None:
    busy = [error("ThrottlingException")] * 5
    async with fault_server(*busy) as server, open_plane(server.url, max_attempts=3) as plane:
        with pytest.raises(Throttled, match=r"^PutItem on Leads: throttled by DynamoDB \(ThrottlingException\)$"):
            await plane.write(PUT)
        assert len(server.received) == 3


async def test_retries_end_at_the_deadline() -> None:
    clock = WaitlessClock()
    busy = [error("ThrottlingException")] * 1000
    async with (
        fault_server(*busy) as server,
        open_plane(server.url, clock=clock, max_attempts=20, retry_deadline_seconds=1.0) as plane,
    ):
        with pytest.raises(Throttled):
            await plane.write(PUT)
        assert clock.elapsed <= 1.0
        assert 2 <= len(server.received) < 20


async def test_an_impatient_write_learns_of_throttling_at_once() -> None:
    async with fault_server(error("ThrottlingException")) as server, open_plane(server.url) as plane:
        with pytest.raises(Throttled):
            await plane.write(PUT, patient=False)
        assert len(server.received) == 1


async def test_an_impatient_write_still_survives_a_closed_connection() -> None:
    async with fault_server(hang_up) as server, open_plane(server.url) as plane:
        assert await plane.write(PUT, patient=False) is True


async def test_the_fence_is_checked_before_every_attempt() -> None:
    checks: list[int] = []

    def fence() -> None:
        checks.append(1)
        if len(checks) == 2:
            raise Fenced("the lease has passed")

    async with fault_server(error("ThrottlingException")) as server, open_plane(server.url) as plane:
        with pytest.raises(Fenced):
            await plane.write(PUT, fence=fence)
        assert len(server.received) == 1


async def test_expired_credentials_are_renewed_and_the_request_is_signed_anew() -> None:
    clock = WaitlessClock()
    credentials = fixed_credentials(clock, "second")
    expired = error("ExpiredTokenException", "The security token included in the request is expired")
    async with (
        fault_server(expired) as server,
        open_plane(server.url, clock=clock, credentials=credentials) as plane,
    ):
        assert await plane.write(PUT)
        keys = [request.headers["authorization"].split("/")[0] for request in server.received]
        assert keys == ["AWS4-HMAC-SHA256 Credential=first", "AWS4-HMAC-SHA256 Credential=second"]


async def test_expired_credentials_that_are_not_renewed_end_the_run() -> None:
    expired = error("ExpiredTokenException", "The security token included in the request is expired")
    async with fault_server(expired) as server, open_plane(server.url) as plane:
        with pytest.raises(Misconfigured, match=r"^the AWS credentials have expired$"):
            await plane.write(PUT)
        assert len(server.received) == 1


async def test_an_update_is_retried_refused_and_fenced_as_a_put_is() -> None:
    update = Update("Leads", KEY, {"a": KEY["PK"]}, ("b",), Exists(("a",)))
    refusal = error("ConditionalCheckFailedException", "The conditional request failed")
    fenced: list[int] = []
    async with fault_server(error("ThrottlingException"), refusal) as server, open_plane(server.url) as plane:
        assert await plane.write(update, fence=lambda: fenced.append(1)) is False
        assert server.operations() == ["UpdateItem", "UpdateItem"]
        assert len(fenced) == 2
    async with fault_server(error("ThrottlingException")) as server, open_plane(server.url) as plane:
        with pytest.raises(Throttled, match=r"^UpdateItem on Leads: "):
            await plane.write(update, patient=False)
