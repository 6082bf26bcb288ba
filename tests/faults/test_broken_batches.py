"""How the data plane handles batches that a server answers only in part: inserts with and without PartiQL, and reads."""

from typing import Any

import pytest

from service.dynamodb.protocol import InsertRefused, InsertThrottled
from service.errors import (
    Throttled,
)
from tests.builders.planes import WaitlessClock, open_plane
from tests.fakes.scripted_endpoint import Reply, answer, error, fault_server, raw

KEY = {"PK": {"S": "a"}, "SK": {"S": "b"}}


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


async def test_impatient_inserts_report_which_are_still_to_be_written() -> None:
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


def found_items(items: list[Any], left: list[Any]) -> Reply:
    unprocessed = {"Leads": {"Keys": left}} if left else {}
    return answer({"Responses": {"Leads": items}, "UnprocessedKeys": unprocessed})


async def test_unprocessed_keys_are_requested_again_until_none_are_left() -> None:
    a, b, c = ITEMS
    clock = WaitlessClock()
    async with (
        fault_server(
            found_items([a], [b, c]), found_items([], [b, c]), found_items([b], [c]), found_items([c], [])
        ) as server,
        open_plane(server.url, clock=clock) as plane,
    ):
        assert await plane.get_many("Leads", ITEMS) == [a, b, c]
        assert len(server.received) == 4
        assert len(clock.waits) == 1, "only the answer without progress is throttling"


async def test_reads_that_decide_are_consistent() -> None:
    page = answer({"Items": []})
    async with fault_server(answer({}), found_items([], []), page, page) as server, open_plane(server.url) as plane:
        await plane.get("Leads", KEY)
        await plane.get_many("Leads", [KEY])
        await plane.scan("Leads", segment=0, segments=1, start=None, limit=10)
        await plane.query("Leads", KEY, consistent=True)
        asked = [request.body for request in server.received]
        asked[1] = asked[1]["RequestItems"]["Leads"]
        assert [body["ConsistentRead"] for body in asked] == [True, True, True, True]


async def test_a_throttled_batch_of_keys_is_requested_at_most_max_attempts_times() -> None:
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
