"""How the data plane handles batches of conditional updates: refusals, throttling, lost answers, fences, and no PartiQL."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace

import pytest

from service.core.item.write import AllOf, AnyOf, Condition, Equals, Update
from service.dynamodb.client import DynamoDBClient
from service.dynamodb.protocol import AskedWrite, Fence
from service.errors import Fatal, Fenced, Poison, Throttled
from tests.builders.planes import open_plane
from tests.fakes.scripted_endpoint import Reply, answer, error, fault_server, raw

CONTROL = "control"
REV = Equals(("rev",), {"S": "r1"})


def batch(*codes: str | None) -> Reply:
    """An answer of BatchExecuteStatement; None: written."""
    responses = [
        {"TableName": CONTROL} if code is None else {"Error": {"Code": code, "Message": "why"}} for code in codes
    ]
    return answer({"Responses": responses})


PROBED = batch("ValidationError", "ConditionalCheckFailed")
LOST = raw(b"", status=500)
REFUSED = error("ConditionalCheckFailedException")


def updates(count: int, condition: Condition = REV) -> list[Update]:
    return [
        Update(CONTROL, {"pk": {"S": "a"}, "sk": {"S": str(number)}}, {"x": {"S": "y"}}, condition=condition)
        for number in range(count)
    ]


async def outcomes(plane: DynamoDBClient, writes: Sequence[Update], fence: Fence | None = None) -> list[object]:
    """Each update's outcome or error; "open" for one that has none, which is answered by the error of the call."""
    loop = asyncio.get_running_loop()
    asked = [AskedWrite(write, loop.create_future()) for write in writes]
    failure: Exception | None = None
    try:
        await plane.try_write_many(CONTROL, asked, fence=fence)
    except Exception as raised:  # noqa: BLE001 - it is part of the answer
        failure = raised
    return [(failure if not one.outcome.done() else one.outcome.exception() or one.outcome.result()) for one in asked]


async def test_each_statement_has_its_own_outcome() -> None:
    async with (
        fault_server(PROBED, batch(None, "ConditionalCheckFailed", "DuplicateItem")) as server,
        open_plane(server.url) as plane,
    ):
        assert await outcomes(plane, updates(3)) == ["written", "refused", "refused"]
        assert server.operations() == ["BatchExecuteStatement"] * 2


async def test_only_throttled_statements_are_sent_again_and_a_refusal_stays_certain() -> None:
    async with (
        fault_server(
            PROBED, batch(None, "ThrottlingError", "ThrottlingError"), batch(None, "ConditionalCheckFailed")
        ) as server,
        open_plane(server.url) as plane,
    ):
        assert await outcomes(plane, updates(3)) == ["written", "written", "refused"]
        assert len(server.received[2].body["Statements"]) == 2


async def test_a_lost_answer_of_a_batch_leaves_each_refused_statement_unknown() -> None:
    async with (
        fault_server(PROBED, LOST, batch(None, "ConditionalCheckFailed")) as server,
        open_plane(server.url) as plane,
    ):
        assert await outcomes(plane, updates(2)) == ["written", "unknown"]


async def test_a_lost_answer_of_one_statement_leaves_only_that_one_unknown() -> None:
    async with (
        fault_server(
            PROBED, batch("InternalServerError", "ThrottlingError"), batch(*["ConditionalCheckFailed"] * 2)
        ) as server,
        open_plane(server.url) as plane,
    ):
        assert await outcomes(plane, updates(2)) == ["unknown", "refused"]


async def test_an_unknown_outcome_stays_unknown_when_the_statement_goes_alone_at_last() -> None:
    refusal = error("ConditionalCheckFailedException")
    async with (
        fault_server(PROBED, LOST, batch("ValidationError", "ValidationError"), refusal, refusal) as server,
        open_plane(server.url) as plane,
    ):
        assert await outcomes(plane, updates(2)) == ["unknown", "unknown"]
        assert server.operations()[-2:] == ["UpdateItem"] * 2


async def test_a_refused_item_harms_no_other() -> None:
    async with (
        fault_server(PROBED, batch("ValidationError", None), error("ValidationException", "why")) as server,
        open_plane(server.url) as plane,
    ):
        poison, written = await outcomes(plane, updates(2))
        assert isinstance(poison, Poison)
        assert written == "written"


async def test_a_batch_that_is_refused_as_a_whole_goes_one_by_one() -> None:
    async with (
        fault_server(PROBED, error("ValidationException", "why")) as server,
        open_plane(server.url) as plane,
    ):
        assert await outcomes(plane, updates(2)) == ["written", "written"]
        assert server.operations()[-2:] == ["UpdateItem"] * 2


async def test_an_error_that_lasts_concerns_its_own_statement() -> None:
    async with (
        fault_server(PROBED, batch("AccessDenied", None)) as server,
        open_plane(server.url) as plane,
    ):
        denied, written = await outcomes(plane, updates(2))
        assert isinstance(denied, Fatal)
        assert written == "written"


async def test_a_batch_throttled_to_the_end_raises_for_what_is_left() -> None:
    async with (
        fault_server(PROBED, batch(None, "ThrottlingError"), *[batch("ThrottlingError")] * 2) as server,
        open_plane(server.url, max_attempts=3) as plane,
    ):
        written, throttled = await outcomes(plane, updates(2))
        assert written == "written"
        assert isinstance(throttled, Throttled)


async def test_the_fence_is_asked_before_every_attempt() -> None:
    asked = iter([None, Fenced("the lease is over")])

    def fence() -> None:
        if (refusal := next(asked)) is not None:
            raise refusal

    async with fault_server(PROBED, batch("ThrottlingError", None)) as server, open_plane(server.url) as plane:
        fenced, written = await outcomes(plane, updates(2), fence)
        assert isinstance(fenced, Fenced)
        assert written == "written"
        assert len(server.received) == 2


async def test_a_write_that_nobody_waits_for_is_not_sent_again() -> None:
    loop = asyncio.get_running_loop()
    asked = [AskedWrite(write, loop.create_future()) for write in updates(2)]

    def fence() -> None:
        asked[0].outcome.cancel()

    async with (
        fault_server(PROBED, batch("ThrottlingError", "ThrottlingError"), batch(None)) as server,
        open_plane(server.url) as plane,
    ):
        await plane.try_write_many(CONTROL, asked, fence=fence)
        assert asked[1].outcome.result() == "written"
        assert [len(request.body["Statements"]) for request in server.received[1:]] == [2, 1]


@pytest.mark.parametrize(
    "probe",
    [
        raw(b"<html>", status=500),
        error("UnknownOperationException"),
        error("AccessDeniedException", "PartiQLUpdate"),
        batch("ValidationError", "AccessDenied"),
        batch("ValidationError", None),
        batch(None, "ConditionalCheckFailed"),
    ],
)
async def test_without_trustworthy_partiql_each_update_is_a_request(probe: Reply) -> None:
    async with fault_server(probe) as server, open_plane(server.url) as plane:
        assert await outcomes(plane, updates(2)) == ["written", "written"]
        assert await outcomes(plane, updates(2)) == ["written", "written"]
        assert server.operations() == ["BatchExecuteStatement", *["UpdateItem"] * 4]


async def test_an_update_without_a_statement_goes_alone() -> None:
    first, second = updates(2)
    other = replace(second, condition=AnyOf((REV, Equals(("rev",), {"S": "r2"}))))
    async with fault_server(PROBED, batch(None)) as server, open_plane(server.url) as plane:
        assert await outcomes(plane, [first, other]) == ["written", "written"]
        assert server.operations() == ["BatchExecuteStatement", "BatchExecuteStatement", "UpdateItem"]


async def test_a_refusal_of_a_compared_map_is_confirmed_by_an_update_of_its_own() -> None:
    """Did PartiQL compare maps in a way of its own, a sink would decide anew until the item counts as contended."""
    first, second, third = updates(3, AllOf((REV, Equals(("_sync",), {"M": {"v": {"S": "1"}}}))))
    replies = (PROBED, batch("ConditionalCheckFailed", None, "ConditionalCheckFailed"), answer({}), REFUSED)
    async with fault_server(*replies) as server, open_plane(server.url) as plane:
        made = await outcomes(plane, [first, second, third])
        assert sorted(map(str, made)) == ["refused", "written", "written"]
        assert made[1] == "written"
        assert server.operations() == ["BatchExecuteStatement"] * 2 + ["UpdateItem"] * 2


async def test_a_lost_answer_is_remembered_until_the_refusal_is_confirmed() -> None:
    writes = updates(2, Equals(("_sync",), {"M": {"v": {"S": "1"}}}))
    refused = batch("ConditionalCheckFailed", "ConditionalCheckFailed")
    async with fault_server(PROBED, LOST, refused, REFUSED, REFUSED) as server, open_plane(server.url) as plane:
        assert await outcomes(plane, writes) == ["unknown", "unknown"]
        assert server.operations() == ["BatchExecuteStatement"] * 3 + ["UpdateItem"] * 2
