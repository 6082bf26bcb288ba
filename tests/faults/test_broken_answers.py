"""What the data plane makes of servers that misbehave: the exact line, and how often it asks again."""

from typing import Any

import pytest

from service.core.item.write import Absent, Check, Delete, Exists, Put, Update
from service.dynamodb.protocol import InsertRefused, InsertThrottled
from service.errors import (
    Fatal,
    Fenced,
    IteratorExpired,
    Misconfigured,
    Poison,
    Retryable,
    StreamGone,
    TablesplitError,
    Throttled,
    Trimmed,
)
from tests.builders.planes import RetryLog, WaitlessClock, fixed_credentials, open_plane
from tests.faults.proxy import Reply, answer, error, fault_server, hang, hang_up, raw

KEY = {"PK": {"S": "a"}, "SK": {"S": "b"}}
PUT = Put("Leads", KEY, Absent(("PK",)))
STREAM = "arn:aws:dynamodb:ap-southeast-2:1:table/Leads/stream/1"
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
async def test_passing_trouble_is_asked_again_and_counted(name: str, reply: Reply, reason: str) -> None:
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
        Fatal,
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
        "",
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
async def test_lasting_trouble_ends_at_once_with_one_line(
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


async def test_the_fence_is_asked_before_every_attempt() -> None:
    asked: list[int] = []

    def fence() -> None:
        asked.append(1)
        if len(asked) == 2:
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


def cancelled(*codes: str) -> Reply:
    reasons = [{"Code": code, "Message": "why"} for code in codes]
    return error("TransactionCanceledException", "Transaction cancelled", CancellationReasons=reasons)


async def test_a_transaction_keeps_its_token_over_retries() -> None:
    async with (
        fault_server(cancelled("None", "TransactionConflict"), error("InternalServerError", status=500)) as server,
        open_plane(server.url) as plane,
    ):
        assert await plane.transact([PUT, Check("Leads", KEY, Exists(("PK",)))]) is True
        assert len(server.received) == 3
        assert len({request.body["ClientRequestToken"] for request in server.received}) == 1
        assert [*server.received[0].body["TransactItems"][1]] == ["ConditionCheck"]


TRANSACTIONS: list[tuple[tuple[str, ...], int]] = [
    (("None", "TransactionConflict"), 2),
    (("ThrottlingError", "None"), 2),
    (("ProvisionedThroughputExceeded",), 2),
    (("ConditionalCheckFailed", "TransactionConflict"), 2),
]


@pytest.mark.parametrize(("codes", "requests"), TRANSACTIONS)
async def test_a_transaction_cancelled_by_passing_trouble_is_asked_again(codes: tuple[str, ...], requests: int) -> None:
    async with fault_server(cancelled(*codes)) as server, open_plane(server.url) as plane:
        assert await plane.transact([PUT]) is True
        assert len(server.received) == requests


@pytest.mark.parametrize(
    ("code", "reason"), [("TransactionConflict", "transaction_conflict"), ("ThrottlingError", "throttled")]
)
async def test_a_reading_together_cancelled_by_passing_trouble_is_asked_again(code: str, reason: str) -> None:
    clock, log = WaitlessClock(), RetryLog()
    read = answer({"Responses": [{"Item": KEY}, {}]})
    async with (
        fault_server(cancelled("None", code), read) as server,
        open_plane(server.url, clock=clock, retries=log) as plane,
    ):
        assert await plane.get_together([("Leads", KEY), ("Staff", KEY)]) == [KEY, None]
        assert server.operations() == ["TransactGetItems", "TransactGetItems"]
        assert [item["Get"]["TableName"] for item in server.received[1].body["TransactItems"]] == ["Leads", "Staff"]
        assert (log.retried, len(clock.waits)) == ([reason], 1)


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


async def test_a_transaction_cancelled_only_by_conditions_is_refused() -> None:
    async with (
        fault_server(cancelled("None", "ConditionalCheckFailed")) as server,
        open_plane(server.url) as plane,
    ):
        assert await plane.transact([PUT]) is False
        assert len(server.received) == 1


@pytest.mark.parametrize("code", ["ValidationError", "ItemCollectionSizeLimitExceeded"])
async def test_a_transaction_with_an_item_that_cannot_be_written_is_poison(code: str) -> None:
    reply = cancelled("ConditionalCheckFailed", "TransactionConflict", code)
    async with fault_server(reply) as server, open_plane(server.url) as plane:
        with pytest.raises(Poison, match=r"^TransactWriteItems on Leads: DynamoDB refuses the item: why$"):
            await plane.transact([PUT])


def batch(*codes: str | None) -> Reply:
    """An answer of BatchExecuteStatement; None: inserted."""
    responses = [
        {"TableName": "Leads"} if code is None else {"Error": {"Code": code, "Message": "why"}} for code in codes
    ]
    return answer({"Responses": responses})


PROBED = batch("ValidationError")
ITEMS = [{"PK": {"S": "a"}, "SK": {"S": str(n)}} for n in range(3)]
NAMES = ("PK", "SK")


async def test_throttled_inserts_inside_a_200_are_sent_again_alone() -> None:
    async with (
        fault_server(PROBED, batch(None, "ThrottlingError", "DuplicateItem"), batch(None)) as server,
        open_plane(server.url) as plane,
    ):
        assert await plane.insert_many("Leads", ITEMS, NAMES) == [True, True, False]
        assert len(server.received[2].body["Statements"]) == 1


async def test_impatient_inserts_tell_which_are_still_to_be_written() -> None:
    async with (
        fault_server(PROBED, batch("ProvisionedThroughputExceeded", None, "DuplicateItem")) as server,
        open_plane(server.url) as plane,
    ):
        with pytest.raises(InsertThrottled) as caught:
            await plane.insert_many("Leads", ITEMS, NAMES, patient=False)
        assert caught.value.results == [None, True, False]
        assert len(server.received) == 2


async def test_a_refused_insert_is_named_after_all_others_are_written() -> None:
    refusal = error("ValidationException", "why")
    async with (
        fault_server(PROBED, batch("ValidationError", "InternalServerError", None), batch(None), refusal) as server,
        open_plane(server.url) as plane,
    ):
        with pytest.raises(InsertRefused) as caught:
            await plane.insert_many("Leads", ITEMS, NAMES)
        assert caught.value.results == [None, True, True]
        assert str(caught.value.refused[0]) == (
            'PutItem on Leads: DynamoDB refuses the item: why (key {"PK":{"S":"a"},"SK":{"S":"0"}})'
        )
        assert server.operations()[-1] == "PutItem"


@pytest.mark.parametrize(
    "probe",
    [
        raw(b"<html>", status=500),
        error("UnknownOperationException"),
        error("AccessDeniedException", "PartiQLInsert"),
        batch("AccessDenied"),
        batch(None),
    ],
)
async def test_without_trustworthy_partiql_conditional_puts_insert(probe: Reply) -> None:
    async with fault_server(probe) as server, open_plane(server.url) as plane:
        assert await plane.insert_many("Leads", ITEMS, NAMES) == [True, True, True]
        assert server.operations() == ["BatchExecuteStatement", "PutItem", "PutItem", "PutItem"]
        conditions = {request.body["ConditionExpression"] for request in server.received[1:]}
        assert conditions == {"attribute_not_exists(#0)"}


async def test_a_throttled_probe_does_not_decide_against_partiql() -> None:
    async with (
        fault_server(error("ThrottlingException"), PROBED, batch(None, None, None)) as server,
        open_plane(server.url) as plane,
    ):
        assert await plane.insert_many("Leads", ITEMS, NAMES) == [True, True, True]
        assert server.operations() == ["BatchExecuteStatement"] * 3


async def test_a_statement_over_the_limit_goes_as_a_put() -> None:
    wide = KEY | {f"attribute {n:030d}": {"S": "x"} for n in range(200)}
    async with fault_server(PROBED, batch(None)) as server, open_plane(server.url) as plane:
        assert await plane.insert_many("Leads", [wide, ITEMS[0]], NAMES) == [True, True]
        assert server.operations() == ["BatchExecuteStatement", "BatchExecuteStatement", "PutItem"]


def found(items: list[Any], left: list[Any]) -> Reply:
    unprocessed = {"Leads": {"Keys": left}} if left else {}
    return answer({"Responses": {"Leads": items}, "UnprocessedKeys": unprocessed})


async def test_unprocessed_keys_are_asked_again_until_none_are_left() -> None:
    a, b, c = ITEMS
    clock = WaitlessClock()
    async with (
        fault_server(found([a], [b, c]), found([], [b, c]), found([b], [c]), found([c], [])) as server,
        open_plane(server.url, clock=clock) as plane,
    ):
        assert await plane.get_many("Leads", ITEMS) == [a, b, c]
        assert len(server.received) == 4
        assert len(clock.waits) == 1, "only the answer without progress is throttling"


async def test_reads_that_decide_are_consistent() -> None:
    page = answer({"Items": []})
    async with fault_server(answer({}), found([], []), page, page) as server, open_plane(server.url) as plane:
        await plane.get("Leads", KEY)
        await plane.get_many("Leads", [KEY])
        await plane.scan("Leads", segment=0, segments=1, start=None, limit=10)
        await plane.query("Leads", KEY, consistent=True)
        asked = [request.body for request in server.received]
        asked[1] = asked[1]["RequestItems"]["Leads"]
        assert [body["ConsistentRead"] for body in asked] == [True, True, True, True]


async def test_a_throttled_batch_of_keys_is_asked_at_most_max_attempts_times() -> None:
    busy = [error("ThrottlingException")] * 20
    async with fault_server(*busy) as server, open_plane(server.url, max_attempts=3) as plane:
        with pytest.raises(Throttled):
            await plane.get_many("Leads", ITEMS)
        assert len(server.received) == 3


async def test_a_key_asked_for_twice_is_refused_before_anything_is_sent() -> None:
    async with fault_server() as server, open_plane(server.url) as plane:
        with pytest.raises(ValueError, match="the keys are not distinct"):
            await plane.get_many("Leads", [ITEMS[0], dict(ITEMS[0])])
        assert server.received == []


STREAM_ERRORS: list[tuple[Reply, type[TablesplitError], str]] = [
    (
        error("ExpiredIteratorException", "x"),
        IteratorExpired,
        f"GetRecords on {STREAM}: the shard iterator has expired",
    ),
    (
        error("TrimmedDataAccessException", "x"),
        Trimmed,
        f"stream {STREAM}: records that were not read yet are gone (older than 24 hours)",
    ),
    (error("ResourceNotFoundException", "no shard"), StreamGone, f"stream {STREAM}: no shard"),
]


@pytest.mark.parametrize(("reply", "kind", "message"), STREAM_ERRORS)
async def test_stream_errors_are_told_apart_and_not_retried(
    reply: Reply, kind: type[TablesplitError], message: str
) -> None:
    async with fault_server(reply) as server, open_plane(server.url) as plane:
        with pytest.raises(kind) as caught:
            await plane.get_records(f"{STREAM}|1|abc")
        assert str(caught.value) == message
        assert len(server.received) == 1


async def test_a_throttled_stream_is_asked_again() -> None:
    async with (
        fault_server(error("LimitExceededException"), answer({"Records": []})) as server,
        open_plane(server.url) as plane,
    ):
        page = await plane.get_records(f"{STREAM}|1|abc")
        assert page.records == []
        assert page.next_iterator is None


def described(last: str | None, *shards: tuple[str, str]) -> Reply:
    listed = [
        {"ShardId": name, "ParentShardId": parent, "SequenceNumberRange": {"StartingSequenceNumber": "1"}}
        for name, parent in shards
    ]
    content: dict[str, Any] = {
        "StreamStatus": "ENABLED",
        "StreamViewType": "NEW_AND_OLD_IMAGES",
        "Shards": listed,
    }
    return answer({"StreamDescription": content | ({"LastEvaluatedShardId": last} if last else {})})


async def test_every_page_of_shards_is_read() -> None:
    async with (
        fault_server(described("a", ("a", "p")), described(None, ("b", "a"))) as server,
        open_plane(server.url) as plane,
    ):
        stream = await plane.describe_stream(STREAM)
        assert [shard.shard_id for shard in stream.shards] == ["a", "b"]
        assert server.received[1].body["ExclusiveStartShardId"] == "a"


async def test_children_are_picked_when_the_server_ignores_the_filter() -> None:
    async with (
        fault_server(described(None, ("a", "p"), ("b", "a"))) as server,
        open_plane(server.url) as plane,
    ):
        stream = await plane.describe_stream(STREAM, children_of="a")
        assert [shard.shard_id for shard in stream.shards] == ["b"]
        assert server.received[0].body["ShardFilter"] == {"Type": "CHILD_SHARDS", "ShardId": "a"}
