"""The metrics of each request: how it ended, and what it consumed."""

from typing import Any

import pytest

from service.core.item.write import Absent, Put
from service.dynamodb.client import DynamoDBClient
from service.errors import TablesplitError
from tests.builders.planes import RetryLog, open_plane
from tests.fakes.scripted_endpoint import Reply, answer, error, fault_server, hang, hang_up

KEY = {"PK": {"S": "a"}, "SK": {"S": "b"}}
PUT = Put("Leads", KEY, Absent(("PK",)))
STREAM = "arn:aws:dynamodb:ap-southeast-2:1:table/Leads/stream/1"

ATTEMPTS: list[tuple[Reply, str]] = [
    (answer({}), "ok"),
    (error("ConditionalCheckFailedException"), "condition"),
    (error("ProvisionedThroughputExceededException"), "throttled"),
    (error("TransactionConflictException"), "conflict"),
    (error("InternalServerError", status=500), "error"),
    (error("ValidationException"), "error"),
    (error("AccessDeniedException"), "error"),
    (hang_up, "error"),
    (hang, "timeout"),
]


@pytest.mark.parametrize(("reply", "result"), ATTEMPTS)
async def test_an_attempt_is_counted_by_how_it_ended(reply: Reply, result: str) -> None:
    log = RetryLog()
    settings = {"request_timeout_seconds": 0.5, "max_attempts": 1}
    async with fault_server(reply) as server, open_plane(server.url, retries=log, **settings) as plane:
        await _write(plane)
    assert log.requests == [("PutItem", result)]


async def test_each_attempt_counts() -> None:
    log = RetryLog()
    replies = (error("ThrottlingException"), error("InternalServerError", status=500))
    async with fault_server(*replies) as server, open_plane(server.url, retries=log) as plane:
        await plane.write(PUT)
    assert log.requests == [("PutItem", "throttled"), ("PutItem", "error"), ("PutItem", "ok")]


REFUSED: dict[str, Any] = {"Error": {"Code": "ValidationError"}}
"""What the probe for PartiQL expects."""
BATCHES: list[tuple[list[dict[str, Any]], str]] = [
    ([{}, {}], "ok"),
    ([{}, {"Error": {"Code": "DuplicateItem"}}], "ok"),
    ([{}, {"Error": {"Code": "TransactionConflict"}}], "conflict"),
    ([{"Error": {"Code": "TransactionConflict"}}, {"Error": {"Code": "ThrottlingError"}}], "throttled"),
    ([{}, {"Error": {"Code": "ProvisionedThroughputExceeded"}}], "throttled"),
]


@pytest.mark.parametrize(("responses", "result"), BATCHES)
async def test_a_batch_counts_by_the_outcomes_of_its_statements(responses: list[dict[str, Any]], result: str) -> None:
    log = RetryLog()
    items = [{**KEY, "SK": {"S": str(number)}} for number in range(2)]
    replies = (answer({"Responses": [REFUSED]}), answer({"Responses": responses}), answer({"Responses": [{}]}))
    settings = {"max_attempts": 2}
    async with fault_server(*replies) as server, open_plane(server.url, retries=log, **settings) as plane:
        try:
            await plane.insert_many("Leads", items, ("PK", "SK"), patient=False)
        except TablesplitError:
            assert result != "ok"
    assert log.requests[1] == ("BatchExecuteStatement", result)


async def test_a_batch_without_progress_counts_as_throttled() -> None:
    log = RetryLog()
    left = {"Responses": {"Leads": []}, "UnprocessedKeys": {"Leads": {"Keys": [KEY]}}}
    full = {"Responses": {"Leads": [KEY]}}
    async with fault_server(answer(left), answer(full)) as server, open_plane(server.url, retries=log) as plane:
        assert await plane.get_many("Leads", [KEY]) == [KEY]
    assert log.requests == [("BatchGetItem", "throttled"), ("BatchGetItem", "ok")]


async def test_units_are_counted_by_table_and_kind() -> None:
    log = RetryLog()
    of_one_table = {"TableName": "Leads", "CapacityUnits": 2.5}
    of_two_tables = [{"TableName": "Leads", "CapacityUnits": 4.0}, {"TableName": "control", "CapacityUnits": 2.0}]
    replies = (
        answer({"ConsumedCapacity": of_one_table}),
        answer({"Items": [], "ConsumedCapacity": of_one_table}),
        answer({"ConsumedCapacity": of_two_tables}),
    )
    async with fault_server(*replies) as server, open_plane(server.url, retries=log) as plane:
        await plane.write(PUT)
        await plane.scan("Leads", segment=0, segments=1, start=None, limit=10)
        await plane.transact([PUT])
        asked = [request.body.get("ReturnConsumedCapacity") for request in server.received]
    assert asked == ["TOTAL"] * 3
    assert log.units == {("Leads", "write"): 6.5, ("Leads", "read"): 2.5, ("control", "write"): 2.0}


async def test_a_stream_request_does_not_ask_for_consumed_units() -> None:
    log = RetryLog()
    async with fault_server(answer({"Records": []})) as server, open_plane(server.url, retries=log) as plane:
        await plane.get_records(STREAM + "|1")
        assert "ReturnConsumedCapacity" not in server.received[0].body
    assert log.requests == [("GetRecords", "ok")]


async def _write(plane: DynamoDBClient) -> None:
    try:
        await plane.write(PUT)
    except TablesplitError:
        return
