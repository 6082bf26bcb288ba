"""How the data plane handles transactions that a server cancels: retried, refused, or with an item that cannot be written."""

import pytest

from service.core.item.write import Absent, Check, Exists, Put
from service.errors import (
    Poison,
)
from tests.builders.planes import RetryLog, WaitlessClock, open_plane
from tests.fakes.scripted_endpoint import Reply, error, fault_server

KEY = {"PK": {"S": "a"}, "SK": {"S": "b"}}
PUT = Put("Leads", KEY, Absent(("PK",)))


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
async def test_a_transaction_cancelled_by_a_passing_error_is_retried(codes: tuple[str, ...], requests: int) -> None:
    async with fault_server(cancelled(*codes)) as server, open_plane(server.url) as plane:
        assert await plane.transact([PUT]) is True
        assert len(server.received) == requests


@pytest.mark.parametrize(
    ("code", "reason"), [("TransactionConflict", "transaction_conflict"), ("ThrottlingError", "throttled")]
)
async def test_the_reason_for_which_a_cancelled_transaction_is_retried_is_counted(code: str, reason: str) -> None:
    clock, log = WaitlessClock(), RetryLog()
    async with (
        fault_server(cancelled("None", code)) as server,
        open_plane(server.url, clock=clock, retries=log) as plane,
    ):
        assert await plane.transact([PUT]) is True
        assert server.operations() == ["TransactWriteItems", "TransactWriteItems"]
        assert (log.retried, len(clock.waits)) == ([reason], 1)


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
