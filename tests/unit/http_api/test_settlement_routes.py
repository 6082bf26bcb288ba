"""Conflicts and quarantine over HTTP: what a request must have, who is named, and what is answered."""

from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from service.http_api.access import Access
from service.http_api.server import create_http_api
from service.http_api.settlement_contract import (
    IDS_AT_MOST,
    ChoicesRequest,
    DropRequest,
    ResolutionRequest,
    RetryRequest,
)
from tests.fakes.clocks import VirtualClock
from tests.fakes.http_view import ACCESS, BEARER, OWNER, TOKEN, FakeView, problem

BODIES: dict[str, dict[str, Any]] = {
    "/v1/conflicts/choices": {"ids": ["a"], "keep": "v2"},
    "/v1/conflicts/resolution": {"seen": {"a": "seen a"}, "keep": "v2"},
    "/v1/quarantine/retry": {"ids": ["a"]},
    "/v1/quarantine/drop": {"ids": ["a"], "why": "gone for good"},
}


@pytest.fixture
def view() -> FakeView:
    return FakeView()


@pytest.fixture
async def http(view: FakeView) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(app=create_http_api(view, ACCESS, VirtualClock()))
    async with httpx.AsyncClient(transport=transport, base_url="http://tablesplit") as client:
        yield client


@pytest.mark.parametrize("path", BODIES)
async def test_each_needs_the_token_and_json(view: FakeView, http: httpx.AsyncClient, path: str) -> None:
    assert problem(await http.post(path, json=BODIES[path]))[0] == 401
    guess = {"Authorization": "Bearer guess"}
    assert problem(await http.post(path, json=BODIES[path], headers=guess))[0] == 401
    form = {**BEARER, "Content-Type": "application/x-www-form-urlencoded"}
    assert problem(await http.post(path, content="ids=a", headers=form))[0] == 400
    assert view.settlements.asked == []


async def test_each_passes_on_what_was_asked_and_by_whom(view: FakeView, http: httpx.AsyncClient) -> None:
    answers = [(await http.post(path, json=body, headers=BEARER)).json() for path, body in BODIES.items()]
    assert answers == [
        {"choices": [{"id": "a", "lost": ["what a had"], "seen": "seen a"}], "refused": {}},
        {"resolved": ["a"], "kept": "v2", "open": {}},
        {"items": [{"id": "a", "applied": True, "failure": None}], "gone": []},
        {"items": [{"id": "a", "changes_lost": 2}], "gone": []},
    ]
    assert view.settlements.asked == [
        ChoicesRequest(ids=["a"], keep="v2"),
        ResolutionRequest(seen={"a": "seen a"}, keep="v2"),
        RetryRequest(ids=["a"]),
        DropRequest(ids=["a"], why="gone for good"),
    ]
    assert view.settlements.by == ["", OWNER, "", OWNER]


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/v1/conflicts/choices", {"ids": [], "keep": "v2"}),
        ("/v1/conflicts/choices", {"ids": ["a"] * (IDS_AT_MOST + 1), "keep": "v2"}),
        ("/v1/conflicts/choices", {"ids": ["a"], "keep": "both"}),
        ("/v1/conflicts/choices", {"ids": ["a"], "keep": "merge"}),
        ("/v1/conflicts/choices", {"ids": ["a"], "keep": "old", "item": "{}"}),
        ("/v1/conflicts/choices", {"ids": ["a", "b"], "keep": "merge", "item": "{}"}),
        ("/v1/conflicts/resolution", {"seen": {}, "keep": "v2"}),
        ("/v1/conflicts/resolution", {"ids": ["a"], "keep": "v2"}),
        ("/v1/conflicts/resolution", {"seen": {"a": "x", "b": "y"}, "keep": "merge", "item": "{}"}),
        ("/v1/quarantine/retry", {}),
        ("/v1/quarantine/drop", {"ids": ["a"]}),
        ("/v1/quarantine/drop", {"ids": ["a"], "why": ""}),
    ],
)
async def test_what_does_not_go_together_is_refused(
    view: FakeView, http: httpx.AsyncClient, path: str, body: dict[str, Any]
) -> None:
    assert problem(await http.post(path, json=body, headers=BEARER))[0] == 400
    assert view.settlements.asked == []


async def test_one_conflict_and_one_key_are_read_in_full(view: FakeView, http: httpx.AsyncClient) -> None:
    view.settlements.shown = {"a": {"id": "a"}}
    for path in ("/v1/conflicts", "/v1/quarantine"):
        assert (await http.get(f"{path}/a")).json() == {"id": "a"}
        assert problem(await http.get(f"{path}/b")) == (404, "there is no b")


async def test_where_reads_need_a_token_these_do_too(view: FakeView) -> None:
    view.settlements.shown = {"a": {"id": "a"}}
    transport = httpx.ASGITransport(
        app=create_http_api(view, Access({TOKEN: OWNER}, hosts=ACCESS.hosts), VirtualClock())
    )
    async with httpx.AsyncClient(transport=transport, base_url="http://tablesplit") as http:
        for path in ("/v1/conflicts/a", "/v1/quarantine/a", "/v1/history", "/v1/log"):
            assert problem(await http.get(path))[0] == 401
            assert (await http.get(path, headers=BEARER)).status_code == 200
