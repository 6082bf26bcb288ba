"""AWS's answers, as it words them: which error each becomes, what the operator is told, and what is retried."""

import asyncio
from datetime import UTC, datetime

import orjson
import pytest
import structlog
from botocore.retries.standard import ThrottledRetryableChecker, TransientRetryableChecker

from service.core.item.write import Absent, Put
from service.dynamodb.control_plane import ControlPlane
from service.dynamodb.protocol import InsertThrottled
from service.dynamodb.table_description import NewTable
from service.errors import Fatal, Limit, Misconfigured, Poison, Retryable, StreamGone, TablesplitError, Throttled
from tests.builders.planes import RetryLog, WaitlessClock, fixed_credentials, open_plane, plane_settings
from tests.fakes import aws_answers as aws
from tests.fakes.aws_answers import Answer
from tests.fakes.scripted_endpoint import answer, error, fault_server, raw

KEY = {"PK": {"S": "a"}, "SK": {"S": "b"}}
PUT = Put("Leads", KEY, Absent(("PK",)))

THROTTLED: list[tuple[Answer, Limit, str]] = [
    (aws.PARTITION, "partition", "one partition key has more than 1,000 write"),
    (aws.TABLE_PROVISIONED, "provisioned", f"raise the provisioned capacity of {aws.TABLE} "),
    (aws.INDEX_PROVISIONED, "provisioned", f"raise the provisioned capacity of {aws.INDEX} "),
    (aws.ON_DEMAND_MAXIMUM, "on_demand_maximum", f"raise the maximum of {aws.TABLE} "),
    (aws.ACCOUNT_LIMIT, "account", "ask AWS for a higher throughput quota"),
    (aws.TWO_REASONS, "partition", "one partition key"),
    (aws.NEW_REASON, "not_said", ""),
    (aws.NO_REASON, "not_said", ""),
]


@pytest.mark.parametrize(("said", "limit", "remedy"), THROTTLED)
async def test_throttling_says_which_limit_was_met(said: Answer, limit: Limit, remedy: str) -> None:
    async with fault_server(said.reply()) as server, open_plane(server.url) as plane:
        with pytest.raises(Throttled) as caught:
            await plane.write(PUT, patient=False)
    assert caught.value.limit == limit
    assert caught.value.remedy.startswith(remedy)
    assert bool(caught.value.remedy) is bool(remedy)
    assert caught.value.of_keys is (limit in ("partition", "not_said"))


async def test_each_limit_has_its_own_reason_in_the_metrics() -> None:
    log = RetryLog()
    said = [answer.reply() for answer, _, _ in THROTTLED]
    async with fault_server(*said) as server, open_plane(server.url, retries=log, max_attempts=20) as plane:
        assert await plane.write(PUT)
    assert log.retried == [
        "throttled_partition",
        "throttled_provisioned",
        "throttled_provisioned",
        "throttled_on_demand_maximum",
        "throttled_account",
        "throttled_partition",
        "throttled",
        "throttled",
    ]
    assert {result for _, result in log.requests[:-1]} == {"throttled"}


async def test_an_impatient_batch_hands_on_which_limit_was_met() -> None:
    probed = answer({"Responses": [{"Error": {"Code": "ValidationError"}}]})
    async with fault_server(probed, aws.ON_DEMAND_MAXIMUM.reply()) as server, open_plane(server.url) as plane:
        with pytest.raises(InsertThrottled) as caught:
            await plane.insert_many("Leads", [KEY], ("PK", "SK"), patient=False)
    assert (caught.value.limit, caught.value.request_id) == ("on_demand_maximum", aws.REQUEST_ID)
    assert caught.value.remedy.startswith("raise the maximum")


ALLOW = f'add {{"Effect":"Allow","Action":"dynamodb:PutItem","Resource":"{aws.TABLE}"}} to '
NO = "no permission for dynamodb:PutItem"
NARROW = "remove or narrow the Deny in "
SCP_ARN = "arn:aws:organizations::111122223333:policy/o-x/service_control_policy/p-y"

REFUSED: list[tuple[Answer, str, str]] = [
    (aws.NOT_ALLOWED, NO, f"{ALLOW}the policy of {aws.ROLE}"),
    (aws.BOUNDARY, NO, f"{ALLOW}the permissions boundary of {aws.ROLE}"),
    (aws.SESSION, NO, f"{ALLOW}the session policy with which {aws.ROLE} was assumed"),
    (aws.SCP, NO, f"{ALLOW}the AWS organization's service control policy (its administrators can)"),
    (aws.ENDPOINT, NO, f"{ALLOW}the policy of the VPC endpoint through which the requests go"),
    (
        aws.BOUNDARY_DENY,
        "a Deny in a permissions boundary forbids dynamodb:PutItem",
        f"{NARROW}the permissions boundary of {aws.ROLE}; no Allow overrides it",
    ),
    (
        aws.SCP_DENY,
        "a Deny in a service control policy forbids dynamodb:PutItem",
        f"{NARROW}the AWS organization's service control policy (its administrators can), {SCP_ARN}; no Allow overrides it",
    ),
    (
        aws.RCP_DENY,
        "a Deny in a resource control policy forbids dynamodb:PutItem",
        f"{NARROW}the AWS organization's resource control policy (its administrators can); no Allow overrides it",
    ),
    (
        aws.ENDPOINT_DENY,
        "a Deny in a VPC endpoint policy forbids dynamodb:PutItem",
        f"{NARROW}the policy of the VPC endpoint through which the requests go; no Allow overrides it",
    ),
    (
        aws.IDENTITY_DENY,
        "a Deny in an identity-based policy forbids dynamodb:PutItem",
        f"{NARROW}the policy of {aws.ROLE}; no Allow overrides it",
    ),
    (
        aws.RESOURCE_DENY,
        "a Deny in a resource-based policy forbids dynamodb:PutItem",
        f"{NARROW}the resource policy of the table; no Allow overrides it",
    ),
    (
        aws.BARE_DENY,
        "a Deny in a policy forbids dynamodb:PutItem",
        f"{NARROW}a policy that applies to {aws.ROLE}; no Allow overrides it",
    ),
    (
        aws.KEY_NOT_ALLOWED,
        "the table's KMS key cannot be used: com.amazonaws.services.kms.model.AWSKMSException: The ciphertext",
        "allow the caller kms:Decrypt, kms:Encrypt, ",
    ),
    (
        aws.KEY_DENY,
        f"the table's KMS key cannot be used: com.amazonaws.services.kms.model.AWSKMSException: User: {aws.ROLE}",
        f"remove or narrow the Deny for kms:CreateGrant in the key's policy or in those of {aws.ROLE}; no Allow overrides it",
    ),
    (aws.KEY_DISABLED, "the table's KMS key cannot be used: ", "enable the key: aws kms enable-key"),
    (aws.KEY_LEAVING, "the table's KMS key cannot be used: ", "cancel the deletion, then enable the key: "),
    (aws.KEY_UNKNOWN, "the table's KMS key cannot be used: ", "check the key: there is none of that name"),
    (aws.KEY_UNAVAILABLE, "the table's KMS key cannot be used: ", "connect the key's own key store again"),
    (aws.KEY_CREATING, "the table's KMS key cannot be used: ", "wait until the key is Enabled"),
    (aws.KEY_IN_NEW_STATE, "the table's KMS key cannot be used: ", "bring the key to the state Enabled"),
    (aws.NOT_AUTHORIZED, NO, "add dynamodb:PutItem on Leads to the policy of the caller"),
]


@pytest.mark.parametrize(("said", "message", "remedy"), REFUSED)
async def test_a_refusal_names_who_can_mend_it(said: Answer, message: str, remedy: str) -> None:
    async with fault_server(said.reply()) as server, open_plane(server.url) as plane:
        with pytest.raises(TablesplitError) as caught:
            await plane.write(PUT)
        assert server.operations() == ["PutItem"]
    assert type(caught.value) is Fatal, "an item is not to blame: it would end in quarantine"
    assert str(caught.value).startswith(f"PutItem on Leads: {message}")
    assert caught.value.remedy.startswith(remedy)
    assert caught.value.request_id == aws.REQUEST_ID
    assert caught.value.to_json()["request_id"] == aws.REQUEST_ID


CALLERS = [
    (aws.REQUEST_EXPIRED, "the signature's time was refused: Request has expired.", "set this machine's clock (NTP)"),
    (aws.TIME_SKEWED, "the signature's time was refused: The difference", "set this machine's clock (NTP)"),
    (aws.SIGNATURE_EXPIRED, "the signature's time was refused: Signature", "set this machine's clock (NTP)"),
    (aws.NO_SUBSCRIPTION, "the AWS account is not subscribed to the service (OptIn", "complete the account's sign-up"),
    (aws.NO_SUBSCRIPTION_JSON, "the AWS account is not subscribed to the service", "complete the account's sign-up"),
]


@pytest.mark.parametrize(("said", "message", "remedy"), CALLERS)
async def test_who_asks_and_when_is_the_configuration_s(said: Answer, message: str, remedy: str) -> None:
    async with fault_server(said.reply()) as server, open_plane(server.url) as plane:
        with pytest.raises(Misconfigured) as caught:
            await plane.write(PUT)
    assert str(caught.value).startswith(f"PutItem on Leads: {message}")
    assert caught.value.remedy.startswith(remedy)


async def test_a_key_for_which_too_many_ask_is_waited_for() -> None:
    log = RetryLog()
    probed = answer({"Responses": [{"Error": {"Code": "ValidationError"}}]})
    batch = answer({"Responses": [{"Error": {"Code": "ValidationError", "Message": aws.KEY_THROTTLED.message}}]})
    done = answer({"Responses": [{}]})
    async with (
        fault_server(aws.KEY_THROTTLED.reply(), answer({}), probed, batch, done) as server,
        open_plane(server.url, retries=log) as plane,
    ):
        assert await plane.write(PUT)
        assert await plane.insert_many("Leads", [KEY], ("PK", "SK")) == [True]
    assert log.retried == ["throttled_account"] * 2


async def test_a_change_of_a_table_waits_for_such_a_key_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("service.dynamodb.botocore_session.FIRST_WAIT_SECONDS", 0)
    async with fault_server(aws.KEY_THROTTLED.reply(), answer({})) as server:
        await asyncio.to_thread(ControlPlane(plane_settings(server.url)).delete_table, "Leads")
        assert server.operations() == ["DeleteTable"] * 2


RETRIED_BY_BOTOCORE = {
    *ThrottledRetryableChecker()._throttled_error_codes,
    *TransientRetryableChecker()._transient_error_codes,
}


@pytest.mark.parametrize("code", sorted(RETRIED_BY_BOTOCORE))
async def test_what_botocore_retries_is_retried(code: str) -> None:
    log = RetryLog()
    async with fault_server(error(code)) as server, open_plane(server.url, retries=log) as plane:
        assert await plane.write(PUT)
    assert len(log.retried) == 1


WAYS = [
    ({"__type": "ThrottlingException:http://internal.amazon.com/coral/"}, ""),
    ({"__type": "a.b#ThrottlingException:http://internal.amazon.com/coral/"}, ""),
    ({}, "ThrottlingException"),
    ({"__type": None}, "a.b#ThrottlingException:http://x/"),
]


@pytest.mark.parametrize(("content", "header"), WAYS)
async def test_a_code_is_read_in_every_way_in_which_aws_writes_it(content: dict[str, object], header: str) -> None:
    body = orjson.dumps({**content, "message": "Rate exceeded"})
    said = raw(body, status=400, headers={"x-amzn-ErrorType": header})
    async with fault_server(said) as server, open_plane(server.url) as plane:
        with pytest.raises(Throttled, match=r"throttled by DynamoDB \(ThrottlingException\)"):
            await plane.write(PUT, patient=False)


async def test_the_control_plane_reads_a_code_from_the_header_too() -> None:
    said = raw(b'{"message": "no"}', status=400, headers={"x-amzn-ErrorType": "NotAuthorized:http://x/"})
    async with fault_server(said) as server:
        with pytest.raises(Fatal, match="no permission for dynamodb:DeleteTable"):
            await asyncio.to_thread(ControlPlane(plane_settings(server.url)).delete_table, "Leads")


@pytest.mark.parametrize("message", ["", "The provided key element does not match the schema"])
async def test_a_request_that_dynamodb_calls_invalid_has_a_remedy(message: str) -> None:
    async with fault_server(error("ValidationException", message)) as server, open_plane(server.url) as plane:
        with pytest.raises(Poison) as caught:
            await plane.get("tablesplit-control", {"pk": {"S": "a"}, "sk": {"S": "b"}})
    said = message or "it does not say why (ValidationException)"
    assert str(caught.value) == f"GetItem on tablesplit-control: DynamoDB refuses the item: {said}"
    assert "TABLESPLIT_CONTROL_TABLE" in caught.value.remedy


async def test_a_session_token_that_has_expired_is_renewed_whatever_the_code() -> None:
    old = error("UnrecognizedClientException", "The security token included in the request is expired")
    clock = WaitlessClock()
    credentials = fixed_credentials(clock, "second")
    async with fault_server(old) as server, open_plane(server.url, clock=clock, credentials=credentials) as plane:
        assert await plane.write(PUT)


async def test_a_key_that_cannot_be_used_puts_no_item_of_a_batch_into_quarantine() -> None:
    probed = {"Responses": [{"Error": {"Code": "ValidationError"}}]}
    disabled = {"Responses": [{"Error": {"Code": "ValidationError", "Message": aws.KEY_DISABLED.message}}]}
    async with fault_server(answer(probed), answer(disabled)) as server, open_plane(server.url) as plane:
        with pytest.raises(Fatal, match="KMS key cannot be used"):
            await plane.insert_many("Leads", [KEY], ("PK", "SK"))


async def test_a_write_that_another_region_disturbs_is_sent_again() -> None:
    log = RetryLog()
    async with fault_server(aws.REPLICA_CONFLICT.reply()) as server, open_plane(server.url, retries=log) as plane:
        assert await plane.write(PUT)
    assert log.retried == ["replica_conflict"]
    assert log.requests == [("PutItem", "conflict"), ("PutItem", "ok")]


async def test_the_log_has_the_request_id_of_every_failed_attempt() -> None:
    with structlog.testing.capture_logs() as lines:
        async with fault_server(aws.PARTITION.reply()) as server, open_plane(server.url) as plane:
            assert await plane.write(PUT)
    assert [(line["operation"], line["request_id"]) for line in lines] == [("PutItem", aws.REQUEST_ID)]


# The control plane.

CHANGES: list[tuple[Answer, type[TablesplitError], str]] = [
    (aws.TABLE_QUOTA, Fatal, "ask AWS for more tables a region"),
    (aws.SIMULTANEOUS, Throttled, ""),
    (aws.TABLE_IN_USE, Retryable, "run the same command again once the table is ACTIVE"),
    (aws.KEY_DENY, Fatal, "remove or narrow the Deny for kms:CreateGrant"),
    (aws.SCP_DENY, Fatal, "remove or narrow the Deny in the AWS organization's"),
    (
        aws.WARM_TOO_HIGH,
        Fatal,
        "ask AWS for a higher throughput quota a table (Service Quotas, DynamoDB), or give lower",
    ),
    (aws.ACCOUNT_UNITS, Fatal, "ask AWS for a higher throughput quota (Service Quotas, DynamoDB)"),
    (aws.ACCOUNT_UNITS_LIMIT, Fatal, "ask AWS for a higher throughput quota (Service Quotas, DynamoDB)"),
    (aws.INDEX_COUNT, Fatal, "the table has as many indexes as AWS allows"),
    (aws.TAG_COUNT, Fatal, "take tags away from the old table, or leave them out"),
    (aws.NEW_QUOTA, Fatal, "ask AWS for a higher quota (Service Quotas, DynamoDB)"),
    (aws.TAG_RATE, Throttled, ""),
    (aws.TTL_CHANGED, Retryable, "wait an hour, then run the same command"),
    (aws.KEY_THROTTLED, Throttled, "ask AWS for a higher quota of requests to KMS"),
    (aws.NO_SUBSCRIPTION, Misconfigured, "complete the account's sign-up in the AWS console, and enable region"),
    (aws.TIME_SKEWED, Misconfigured, "set this machine's clock"),
]


@pytest.mark.parametrize(("said", "kind", "remedy"), CHANGES)
async def test_a_refused_change_of_a_table_says_what_to_do(
    said: Answer, kind: type[TablesplitError], remedy: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in ("botocore_calls", "botocore_session"):
        monkeypatch.setattr(f"service.dynamodb.{module}.ATTEMPTS", 1)
    async with fault_server(said.reply()) as server:
        control = ControlPlane(plane_settings(server.url))
        with pytest.raises(TablesplitError) as caught:
            await asyncio.to_thread(control.delete_table, "Leads")
    assert type(caught.value) is kind
    assert caught.value.remedy.startswith(remedy)
    assert caught.value.request_id == aws.REQUEST_ID


async def test_a_table_that_exists_is_not_waited_for() -> None:
    there = Answer("ResourceInUseException", "Table already exists: Leads")
    async with fault_server(there.reply()) as server:
        control = ControlPlane(plane_settings(server.url))
        with pytest.raises(Fatal):
            await asyncio.to_thread(control.create_table, NewTable("Leads", ("PK", "SK"), stream=False))


# Streams.


async def test_a_third_reader_of_a_shard_is_told_of_the_limit() -> None:
    async with fault_server(aws.STREAM_READERS.reply()) as server, open_plane(server.url, max_attempts=1) as plane:
        with pytest.raises(Throttled) as caught:
            await plane.get_records("arn:aws:dynamodb:x:1:table/old/stream/2026-01-01T00:00:00.000|iterator")
    assert caught.value.remedy.startswith("at most two readers")


def _stream(clock: WaitlessClock, age_seconds: float) -> str:
    label = datetime.fromtimestamp(clock.now() - age_seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")[:23]
    return f"arn:aws:dynamodb:ap-southeast-2:1:table/old/stream/{label}"


ENABLED = answer({"StreamDescription": {"StreamStatus": "ENABLED", "StreamViewType": "NEW_AND_OLD_IMAGES"}})


async def test_a_stream_that_was_just_enabled_is_waited_for() -> None:
    clock, log = WaitlessClock(), RetryLog()
    unknown = aws.STREAM_UNKNOWN.reply()
    async with (
        fault_server(unknown, unknown, ENABLED) as server,
        open_plane(server.url, clock=clock, retries=log) as plane,
    ):
        assert (await plane.describe_stream(_stream(clock, 2))).status == "ENABLED"
    assert log.retried == ["stream_starting"] * 2


async def test_an_older_stream_that_is_not_found_is_gone_at_once() -> None:
    clock = WaitlessClock()
    async with fault_server(aws.STREAM_UNKNOWN.reply()) as server, open_plane(server.url, clock=clock) as plane:
        with pytest.raises(StreamGone):
            await plane.describe_stream(_stream(clock, 40))
        assert len(server.received) == 1
