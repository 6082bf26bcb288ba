"""The soak's proxy: what the server sees of a request whose answer it spoils, and that the client asks again."""

import random
from collections.abc import AsyncIterator

import pytest

from bench.soak.proxy import Fault, Faults, Wanted, fault_proxy
from service.core.item.write import Put
from tests.builders.planes import open_plane
from tests.fakes.scripted_endpoint import FaultServer, fault_server

KEY = {"pk": {"S": "a"}}


@pytest.fixture
async def server() -> AsyncIterator[FaultServer]:
    async with fault_server() as server:
        yield server


@pytest.mark.parametrize("fault, seen", [("lost", 2), ("cut", 2), ("throttled", 1), ("reset", 1)])
async def test_the_server_sees_a_request_before_its_answer_is_lost_and_never_one_that_is_refused(
    server: FaultServer, fault: Fault, seen: int
) -> None:
    made: list[tuple[str, str]] = []
    faults = Faults(random.Random(0), lambda *each: made.append(each))
    faults.order(fault, "any")
    async with fault_proxy(server.url, faults) as url, open_plane(url) as store:
        assert await store.write(Put("table", KEY))
    assert server.operations() == ["PutItem"] * seen
    assert made == [(fault, "PutItem")]


@pytest.mark.parametrize(
    "wanted, operation, meant",
    [
        ("write", "UpdateItem", True),
        ("write", "GetItem", False),
        ("stream", "GetRecords", True),
        ("stream", "Query", False),
        ("any", "Query", True),
    ],
)
def test_a_fault_waits_for_a_request_of_its_kind(wanted: Wanted, operation: str, meant: bool) -> None:
    faults = Faults(random.Random(0), lambda *_: None)
    faults.order("lost", wanted)
    assert (faults.of(operation), faults.waiting) == (("lost", 0) if meant else (None, 1))
    faults.for_any()
    assert faults.of("Query") == (None if meant else "lost")
