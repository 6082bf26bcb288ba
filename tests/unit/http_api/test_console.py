"""The console over HTTP: its page and files, its policy, events, hold and release, and guessed tokens."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import PurePath

import httpx
import pytest

from service.http_api.console import ASSETS, KINDS
from service.http_api.server import create_http_api
from service.http_api.wrong_tokens import ADDRESSES_AT_MOST, WINDOW_SECONDS, WRONG_TOKENS_ALLOWED, WrongTokens
from tests.fakes.clocks import VirtualClock
from tests.fakes.http_view import ACCESS, BEARER, FakeView, problem

GUESS = {"Authorization": "Bearer guess"}


@pytest.fixture
def clock() -> VirtualClock:
    return VirtualClock()


@asynccontextmanager
async def client(view: FakeView, clock: VirtualClock, address: str = "10.0.0.1") -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(app=create_http_api(view, ACCESS, clock), client=(address, 1))
    async with httpx.AsyncClient(transport=transport, base_url="http://tablesplit") as http:
        yield http


@pytest.mark.parametrize("path", ASSETS)
async def test_the_page_loads_nothing_from_other_servers_and_may_not(clock: VirtualClock, path: str) -> None:
    async with client(FakeView(), clock) as http:
        answer = await http.get(path)
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith(KINDS[PurePath(ASSETS[path].name).suffix])
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "require-trusted-types-for 'script'" in policy
    assert "unsafe" not in policy
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert "https://" not in answer.text
    assert "http://" not in answer.text
    assert "innerHTML" not in answer.text or path == "/console/lit/lit-html.js"


async def test_what_is_beside_the_page_is_not_served(clock: VirtualClock) -> None:
    async with client(FakeView(), clock) as http:
        for path in ("/console/lit/LICENSE", "/console/lit/README.md", "/console/__init__.py"):
            assert problem(await http.get(path))[0] == 404


async def test_the_history_and_the_log_are_documents(clock: VirtualClock) -> None:
    view = FakeView()
    view.logged = [{"event": "serving", "level": "info"}]
    async with client(view, clock) as http:
        assert (await http.get("/v1/history")).json() == {"points": []}
        assert (await http.get("/v1/log")).json()["events"] == view.logged


async def test_events_are_a_stream_and_too_many_listeners_are_refused(clock: VirtualClock) -> None:
    view = FakeView()
    async with client(view, clock) as http:
        answer = await http.get("/v1/events")
        assert answer.headers["content-type"].startswith("text/event-stream")
        assert answer.text == "event: status\ndata: {}\n\n"
        view.crowded = True
        refused = await http.get("/v1/events")
    assert problem(refused)[0] == 503
    assert refused.headers["retry-after"] == "10"


async def test_a_hold_and_its_release_take_the_token_and_a_reason(clock: VirtualClock) -> None:
    view = FakeView()
    async with client(view, clock) as http:
        assert (await http.post("/v1/hold", json={"why": "x"})).status_code == 401
        assert (await http.post("/v1/hold", json={}, headers=BEARER)).status_code == 400
        assert (await http.post("/v1/hold", json={"why": "audit week"}, headers=BEARER)).json() == {
            "hold": "audit week"
        }
        assert (await http.post("/v1/release", headers=BEARER)).json() == {"released": None}
        assert (await http.get("/v1/audit")).json()["items"] == ["audit"]


async def test_an_address_that_guesses_is_told_to_wait_and_the_right_token_passes(clock: VirtualClock) -> None:
    view = FakeView()
    async with client(view, clock) as http:
        for _ in range(WRONG_TOKENS_ALLOWED):
            assert problem(await http.post("/v1/release", headers=GUESS))[0] == 401
        limited = await http.post("/v1/release", headers=GUESS)
        assert problem(limited) == (429, "try again in 60 s")
        assert limited.headers["retry-after"] == "60"
        assert (await http.post("/v1/release", headers=BEARER)).status_code == 200
        await clock.advance(WINDOW_SECONDS)
        assert problem(await http.post("/v1/release", headers=GUESS))[0] == 401


async def test_other_addresses_do_not_wait_and_the_memory_is_bounded(clock: VirtualClock) -> None:
    wrong = WrongTokens(clock)
    waits = [wrong.count("guesser") for _ in range(100)]
    assert waits == [0.0] * WRONG_TOKENS_ALLOWED + [WINDOW_SECONDS] * (100 - WRONG_TOKENS_ALLOWED)
    assert wrong.count("operator") == 0
    assert len(vars(wrong)["_times"]["guesser"]) == WRONG_TOKENS_ALLOWED
    for number in range(ADDRESSES_AT_MOST):
        wrong.count(f"address {number}")
    assert wrong.count("guesser") == 0  # forgotten: the price of a bound
    assert len(vars(wrong)["_times"]) == ADDRESSES_AT_MOST
