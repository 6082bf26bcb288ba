"""/v1/explain: the document of one old item there and back, one GetItem a request, and who may ask."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from itertools import pairwise
from types import SimpleNamespace
from typing import Any, cast

import httpx
import pytest

from service.core.item.write import Put
from service.core.mapping.explain import explain
from service.errors import Misconfigured, Poison
from service.http_api.explained import PAUSE_SECONDS
from service.http_api.reads import EDITS_AT_MOST, LONGEST_KEY
from service.http_api.server import create_http_api
from service.http_api.view import HttpView
from tests.builders.small_crm import MAPPING, lead
from tests.fakes.clocks import VirtualClock
from tests.fakes.http_view import ACCESS, BEARER, FakeView, problem
from tests.worlds.start_world import Started

KEY = "pk=LEAD#a sk=METADATA"


@pytest.fixture
def started() -> Started:
    """One lead in the old table."""
    world = Started()
    world.db.after = None
    world.db.apply(Put("old", lead("a", company={"S": "Acme"})))
    return world


def view_of(world: Started) -> HttpView:
    return HttpView(world.app, cast(Any, SimpleNamespace(unready=lambda: None)))


async def test_it_is_what_the_command_prints_and_when_it_was_read(started: Started) -> None:
    document = await view_of(started).explain(KEY, ["company=Bcme"])
    assert document is not None
    wanted = explain(MAPPING, lead("a", company={"S": "Acme"}), {"company": {"S": "Bcme"}}).to_json()
    assert wanted["edit"]["old"][0]["name"] == "company"
    assert document.pop("as_of")
    assert document == {"mapping": MAPPING.hash, **wanted}


async def test_of_an_item_without_a_place_on_v2_it_says_why(started: Started) -> None:
    started.db.apply(Put("old", {**lead("a"), "entity_type": {"S": "COW"}}))
    document = await view_of(started).explain(KEY, ["company=Bcme"])
    assert document is not None
    assert (document["quarantined"]["reason"], document["edit"]) == ("unknown_entity", None)


async def test_no_item_is_none_and_a_wrong_key_or_edit_is_the_askers(started: Started) -> None:
    assert await view_of(started).explain("pk=LEAD#b sk=METADATA", []) is None
    for key, edits, message in (
        ("LEAD#a", [], "no key of the old table"),
        (KEY, ["company"], "company is no edit"),
        (KEY, ["SK=x"], "SK is made by the mapping"),
    ):
        with pytest.raises(Misconfigured, match=message):
            await view_of(started).explain(key, edits)


async def test_a_key_that_the_server_refuses_is_the_askers_too(started: Started) -> None:
    async def refuse(*_: object) -> None:
        raise Poison("the key is too long", reason="rejected")

    started.db.get = refuse  # type: ignore[assignment, method-assign]
    with pytest.raises(Misconfigured, match="the key is too long"):
        await view_of(started).explain(KEY, [])


async def test_a_request_is_one_read_and_reads_come_one_after_the_other(started: Started) -> None:
    reads: list[float] = []

    async def note(operation: str, subject: object) -> None:
        assert operation == "get"
        reads.append(started.clock.monotonic())

    started.db.after = note
    view = view_of(started)
    asked = asyncio.gather(*(view.explain(KEY, []) for _ in range(4)))
    await started.clock.until(asked.done, within=10.0)
    assert len(await asked) == len(reads) == 4
    assert all(later - earlier >= PAUSE_SECONDS - 1e-6 for earlier, later in pairwise(reads))


@asynccontextmanager
async def client(view: FakeView, *, reads_need_token: bool) -> AsyncIterator[httpx.AsyncClient]:
    access = replace(ACCESS, reads_need_token=reads_need_token)
    transport = httpx.ASGITransport(app=create_http_api(view, access, VirtualClock()))
    async with httpx.AsyncClient(transport=transport, base_url="http://tablesplit") as http:
        yield http


async def test_it_needs_a_token_where_other_documents_do() -> None:
    view = FakeView()
    view.explanation = {"entity": "LEAD", "why": "\x1b[2J"}
    asked: Any = {"key": KEY, "set": ["status=won", "company=A"]}
    async with client(view, reads_need_token=True) as http:
        assert problem(await http.get("/v1/explain", params=asked))[0] == 401
        assert view.explained == []
        answer = await http.get("/v1/explain", params=asked, headers=BEARER)
    async with client(view, reads_need_token=False) as http:
        assert (await http.get("/v1/explain", params=asked)).status_code == 200
    assert "\x1b" not in answer.text
    assert answer.json() == view.explanation
    assert view.explained == [(KEY, ["status=won", "company=A"])] * 2


@pytest.mark.parametrize(
    ("asked", "status", "detail"),
    [
        ({"key": "pk=a sk=\x1bb"}, 404, "the old table has no item pk=a sk=\\u001bb"),
        ({}, 400, "query.key: Field required"),
        ({"key": "k" * (LONGEST_KEY + 1)}, 400, "query.key: String should have at most 4096 characters"),
        ({"key": "k", "set": ["a=b"] * (EDITS_AT_MOST + 1)}, 400, "query.set: List should have at most 20 items"),
        ({"key": "k", "set": ["a" * 5000]}, 400, "query.set.0: String should have at most 4096 characters"),
    ],
)
async def test_what_is_not_there_or_too_much_is_a_problem(asked: dict[str, Any], status: int, detail: str) -> None:
    view = FakeView()
    async with client(view, reads_need_token=False) as http:
        found = problem(await http.get("/v1/explain", params=asked))
    assert found[0] == status
    assert detail in found[1]
    assert len(view.explained) == (status == 404)
