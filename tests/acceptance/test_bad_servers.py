"""The command line's answer when the server refuses, hangs or sends garbage: one line, a remedy, an exit status."""

import json

import pytest
from anyio.from_thread import start_blocking_portal

from tests.acceptance.in_process import World
from tests.fakes.scripted_endpoint import Reply, answer, error, fault_server, hang, hang_up, raw

DENIED = "User: eve is not authorized to perform: dynamodb:{} on x"
LONG = {"long": "x" * 100}

READING = ("migrate", "--dry-run")
"""Reads the old table's description through boto3, and then its items through the project's own client."""


def described(world: World) -> Reply:
    """The old table's description."""
    name = world.name("OLD_TABLE_NAME")
    keys = [{"AttributeName": "pk", "KeyType": "HASH"}, {"AttributeName": "sk", "KeyType": "RANGE"}]
    types = [{"AttributeName": key, "AttributeType": "S"} for key in ("pk", "sk")]
    table = {
        "TableName": name,
        "TableArn": f"arn:aws:dynamodb:ap-southeast-2:1:table/{name}",
        "TableStatus": "ACTIVE",
        "KeySchema": keys,
        "AttributeDefinitions": types,
    }
    return answer({"Table": table})


TRY = "run the same command again: nothing that was done is lost"
REACH = "check that the endpoint is up and reachable (AWS_REGION, AWS_ENDPOINT_URL)"
RENEW = "renew them (`aws sso login`, or new AWS_ACCESS_KEY_ID values), then run the same command"
REPORT = "check the endpoint (AWS_ENDPOINT_URL) and the table names; if they are right, report this line"
DAMAGED = "damaged answer from URL"

Row = tuple[Reply, int, str, str]
DESCRIBING: dict[str, Row] = {
    "no permission": (
        error("AccessDeniedException", DENIED.format("DescribeTable")),
        3,
        "DescribeTable on OLD_TABLE: no permission for dynamodb:DescribeTable",
        "add dynamodb:DescribeTable on OLD_TABLE to the policy of eve",
    ),
    "credentials refused": (
        error("UnrecognizedClientException", "The security token is invalid."),
        2,
        "DescribeTable on OLD_TABLE: URL refuses the AWS credentials (UnrecognizedClientException)",
        "check AWS_PROFILE, or the key, secret and session token, and region ap-southeast-2",
    ),
    "credentials expired": (
        error("ExpiredTokenException", "The security token is expired"),
        2,
        "the AWS credentials have expired",
        RENEW,
    ),
    "clock wrong": (
        error("InvalidSignatureException", "Signature expired: 20200101T000000Z is now earlier"),
        2,
        "DescribeTable on OLD_TABLE: the signature's time was refused: Signature expired: 20200101T000000Z is now earlier",
        "set this machine's clock (NTP)",
    ),
    "request refused": (
        error("ValidationException", "Invalid table name"),
        3,
        "DescribeTable on OLD_TABLE: URL refuses the request: ValidationException: Invalid table name",
        REPORT,
    ),
    "hangs": (hang, 3, "DescribeTable on OLD_TABLE: no answer from URL in time", REACH),
    "hangs up": (hang_up, 3, "DescribeTable on OLD_TABLE: cannot connect to URL", REACH),
    "half an answer": (
        answer(LONG, missing_bytes=50),
        3,
        f"DescribeTable on OLD_TABLE: {DAMAGED}: no Table in it",
        REACH,
    ),
    "not JSON": (raw(b"<html>"), 3, f"DescribeTable on OLD_TABLE: {DAMAGED}: no Table in it", REACH),
    "not a table": (
        answer({"Table": {"TableName": "x"}}),
        3,
        f"DescribeTable on OLD_TABLE: {DAMAGED}: no TableArn in it",
        REACH,
    ),
    "no DynamoDB": (
        raw(b"<html>", status=403),
        3,
        "DescribeTable on OLD_TABLE: URL refuses the request: 403: <html>",
        REPORT,
    ),
}
SCANNING: dict[str, Row] = {
    "no permission": (
        error("AccessDeniedException", DENIED.format("Scan")),
        3,
        "Scan on OLD_TABLE: no permission for dynamodb:Scan",
        "add dynamodb:Scan on OLD_TABLE to the policy of eve",
    ),
    "credentials expired": (
        error("ExpiredTokenException", "The security token is expired"),
        2,
        "the AWS credentials have expired",
        RENEW,
    ),
    "table deleted": (
        error("ResourceNotFoundException", "Requested resource not found"),
        3,
        "table OLD_TABLE was not found in region ap-southeast-2 at URL",
        "check AWS_REGION and the table names, or run `tablesplit create-tables`",
    ),
    "hangs": (hang, 3, "Scan on OLD_TABLE: no answer from URL within 0.5 s", REACH),
    "hangs up": (hang_up, 3, "Scan on OLD_TABLE: URL closed the connection: no answer", TRY),
    "half an answer": (
        answer(LONG, missing_bytes=50),
        3,
        f"Scan on OLD_TABLE: {DAMAGED}: it ended after 124 bytes",
        TRY,
    ),
    "wrong CRC": (
        answer(LONG, crc=1),
        3,
        f"Scan on OLD_TABLE: {DAMAGED}: the answer's CRC32 does not match its content",
        TRY,
    ),
    "not JSON": (
        raw(b"<html>"),
        3,
        f"Scan on OLD_TABLE: {DAMAGED}: unexpected character, expected a JSON value: line 1 column 1 (char 0)",
        TRY,
    ),
    "throttled": (
        error("ThrottlingException", "Rate exceeded"),
        3,
        "Scan on OLD_TABLE: throttled by DynamoDB (ThrottlingException)",
        TRY,
    ),
    "broken": (
        error("InternalServerError", "whatever", status=500),
        3,
        "Scan on OLD_TABLE: URL answered InternalServerError: whatever",
        TRY,
    ),
    "no DynamoDB": (
        raw(b"<html>", status=403),
        3,
        "Scan on OLD_TABLE: URL refuses the request: HTTP status 403: its answer is not JSON",
        REPORT,
    ),
}


@pytest.mark.parametrize("row", DESCRIBING)
def test_while_describing_the_old_table(offline: World, row: str) -> None:
    offline.monkeypatch.setattr("service.dynamodb.botocore_calls.ATTEMPTS", 1)
    reply, *expected = DESCRIBING[row]
    check(offline, [reply], ("create-tables",), *expected)


@pytest.mark.parametrize("row", SCANNING)
def test_while_reading_the_old_table(offline: World, row: str) -> None:
    reply, *expected = SCANNING[row]
    check(offline, [described(offline), reply], READING, *expected)


def check(world: World, script: list[Reply], command: tuple[str, ...], status: int, line: str, remedy: str) -> None:
    """Line, remedy and exit status are these, on stderr and in the JSON document."""
    world.set(TABLESPLIT_REQUEST_TIMEOUT_SECONDS="0.5", TABLESPLIT_SEGMENTS="1")
    with (
        start_blocking_portal() as portal,
        portal.wrap_async_context_manager(fault_server(*script)) as server,
    ):
        world.set(AWS_ENDPOINT_URL=server.url)
        result = world.run(*command, "--json")
        url = server.url

    def general(text: str) -> str:
        return text.replace(url, "URL").replace(world.name("OLD_TABLE_NAME"), "OLD_TABLE")

    said = [text for text in general(result.err).splitlines() if not text.startswith("migration: ")]
    assert (result.status, said) == (status, [f"error: {line}", f"what to do: {remedy}"])
    document = json.loads(general(result.out))["error"]
    assert (document["message"], document["remedy"]) == (line, remedy)
