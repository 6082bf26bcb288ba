"""The HTTP side: the answer of each path, who may POST, and errors as problem documents."""

import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

import aiohttp
import httpx
import pytest

from service.config import Settings
from service.core.phases.gate import Gate, GateClosed
from service.core.phases.left_behind import KeysLeftBehind, Lack, left_behind
from service.errors import Misconfigured, Refused
from service.http_api.contract import ValidationRequest
from service.http_api.problems import MAX_BODY_BYTES
from service.http_api.server import create_http_api, serve_http
from tests.fakes.clocks import VirtualClock
from tests.fakes.http_view import ACCESS, BEARER, CONDITIONS, OWNER, TOKEN, FakeView, problem

START = "/v1/validation"
MOVE = "/v1/phase"


@pytest.fixture
def view() -> FakeView:
    return FakeView()


@asynccontextmanager
async def client(view: FakeView, token: str | None = TOKEN) -> AsyncIterator[httpx.AsyncClient]:
    access = replace(ACCESS, owners={token: OWNER} if token else {})
    transport = httpx.ASGITransport(app=create_http_api(view, access, VirtualClock()))
    async with httpx.AsyncClient(transport=transport, base_url="http://tablesplit") as http:
        yield http


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("/healthz", "ok\n"),
        ("/readyz", "ready\n"),
        ("/metrics", "tablesplit_ready 1\n"),
        ("/v1/status", '{"phase":"forward"}'),
        ("/v1/quarantine", '{"items":["quarantine"],"after":"","limit":100}'),
        ("/v1/conflicts", '{"items":["conflicts"],"after":"","limit":100}'),
        ("/v1/audit", '{"items":["audit"],"after":"","limit":100}'),
        ("/v1/verification", '{"items":["verification"],"after":"","limit":100}'),
        ("/v1/quarantine?after=ab&limit=5", '{"items":["quarantine"],"after":"ab","limit":5}'),
    ],
)
async def test_a_get_needs_no_token(view: FakeView, path: str, text: str) -> None:
    async with client(view, None) as http:
        answer = await http.get(path)
    assert (answer.status_code, answer.text) == (200, text)


async def test_the_gate_and_the_phase_are_read_without_a_token(view: FakeView) -> None:
    async with client(view, None) as http:
        gate = (await http.get("/v1/gate", params={"to": "reverse"})).json()
        assert (gate["to"], gate["open"], [condition["name"] for condition in gate["conditions"]]) == (
            "reverse",
            False,
            ["quarantine", "conflicts"],
        )
        assert problem(await http.get("/v1/gate", params={"to": "complete"})) == (
            409,
            "no move leads from forward to complete (from here on: dual)",
        )
        assert (await http.get("/v1/gate", params={"to": "sideways"})).status_code == 400
        assert (await http.get(MOVE)).json() == {"phase": "forward"}


async def test_a_move_is_begun_with_the_token_and_its_override_asked_for_twice(view: FakeView) -> None:
    override = {"to": "dual", "why": "monday", "force": ["quarantine"]}
    async with client(view) as http:
        assert problem(await http.post(MOVE, json={"to": "dual"}))[0] == 401
        once = problem(await http.post(MOVE, headers=BEARER, json=override))
        twice = await http.post(MOVE, headers=BEARER, json={**override, "force_again": ["quarantine"]})
        last = await http.post(MOVE, headers=BEARER, json={"to": "complete", "why": "done", "table": "crm"})
    assert once == (400, "an override must be given twice: repeat `force` in `force_again`")
    assert (twice.status_code, twice.json()) == (202, {"to": "dual", "location": "/v1/phase"})
    assert last.status_code == 202
    assert view.phases.moves == [("dual", "monday", ("quarantine",)), ("complete", "done", ())]
    assert view.phases.tables == [None, "crm"]


async def test_a_closed_gate_is_a_conflict_with_its_closed_conditions(view: FakeView) -> None:
    view.phases.refusal = GateClosed(Gate("dual", CONDITIONS))
    async with client(view) as http:
        answer = await http.post(MOVE, headers=BEARER, json={"to": "dual"})
    assert problem(answer) == (409, "the gate to dual is closed: quarantine is 2, wanted 0")
    assert [(condition["name"], condition["remedy"]) for condition in answer.json()["conditions"]] == [
        ("quarantine", "tablesplit quarantine list")
    ]


async def test_a_way_back_that_leaves_keys_behind_is_a_conflict_that_names_them_until_it_is_told_their_number(
    view: FakeView,
) -> None:
    behind = left_behind([Lack("old", {"pk": {"S": "a"}}, "quarantine", "1 of its changes wait")], 0, None)
    view.phases.refusal = KeysLeftBehind(Gate("forward", CONDITIONS), (), behind, None)
    async with client(view) as http:
        answer = await http.post(MOVE, headers=BEARER, json={"to": "forward"})
        view.phases.refusal = None
        told = await http.post(MOVE, headers=BEARER, json={"to": "forward", "leave_behind": 1})
        negative = await http.post(MOVE, headers=BEARER, json={"to": "forward", "leave_behind": -1})
    assert problem(answer) == (409, "the gate to forward is closed: quarantine is 2, wanted 0; 1 key is left behind")
    assert answer.json()["left_behind"] == behind.to_json()
    assert (told.status_code, view.phases.left_behind, negative.status_code) == (202, [1], 400)


async def test_a_lane_that_has_stopped_makes_the_process_unready_but_not_dead(view: FakeView) -> None:
    view.failure = "the stream is gone (accept the gap)"
    async with client(view) as http:
        assert problem(await http.get("/readyz")) == (503, view.failure)
        assert (await http.get("/healthz")).status_code == 200


async def test_reports_are_found_by_id_or_as_the_latest(view: FakeView) -> None:
    async with client(view) as http:
        assert problem(await http.get(START)) == (404, "no validation has been run")
        view.report = {"id": "run-1", "result": "equal"}
        assert (await http.get(START)).json() == view.report
        assert (await http.get(f"{START}/run-1")).json() == view.report
        assert problem(await http.get(f"{START}/run-2")) == (404, "no validation run 'run-2'")


@pytest.mark.parametrize(
    ("configured", "headers", "status", "detail"),
    [
        (None, BEARER, 403, "set TABLESPLIT_API_TOKEN for the service to allow this request"),
        (TOKEN, {}, 401, "send the header Authorization: Bearer <token>"),
        (TOKEN, {"Authorization": "Basic cmlnaHQ="}, 401, "send the header Authorization: Bearer <token>"),
        (
            TOKEN,
            {"Authorization": "Bearer wrong"},
            401,
            "the token is not in the service's TABLESPLIT_API_TOKEN",
        ),
        (
            TOKEN,
            {"Authorization": f"Bearer {TOKEN[:-1]}"},
            401,
            "the token is not in the service's TABLESPLIT_API_TOKEN",
        ),
        (
            TOKEN,
            {"Authorization": f"Bearer {TOKEN}y"},
            401,
            "the token is not in the service's TABLESPLIT_API_TOKEN",
        ),
    ],
)
async def test_a_post_without_the_right_token_is_refused(
    view: FakeView, configured: str | None, headers: dict[str, str], status: int, detail: str
) -> None:
    async with client(view, configured) as http:
        answer = await http.post(START, headers=headers, json={})
    assert problem(answer) == (status, detail)
    assert view.requested == []


async def test_a_post_with_the_token_starts_a_run_and_says_where_its_report_will_be(view: FakeView) -> None:
    async with client(view) as http:
        answer = await http.post(START, headers=BEARER, json={"entity": "LEAD", "sample": 3})
    assert (answer.status_code, answer.json()) == (202, {"id": "run-1", "location": "/v1/validation/run-1"})
    assert view.requested == [ValidationRequest(entity="LEAD", sample=3)]


@pytest.mark.parametrize(
    ("body", "status", "detail"),
    [
        (b"not json", 400, "body.0: JSON decode error"),
        (b"[]", 400, "body: Input should be a valid dictionary or object to extract fields from"),
        (b'{"sample": 0}', 400, "body.sample: Input should be greater than or equal to 1"),
        (b'{"sample": "3"}', 400, "body.sample: Input should be a valid integer"),
        (b'{"repair": true}', 400, "body.repair: Extra inputs are not permitted"),
        (b"x" * (MAX_BODY_BYTES + 1), 413, f"the body must be at most {MAX_BODY_BYTES} bytes"),
    ],
    ids=["not JSON", "no object", "below the bound", "a number as text", "unknown field", "too large"],
)
async def test_bodies_that_are_refused(view: FakeView, body: bytes, status: int, detail: str) -> None:
    async with client(view) as http:
        answer = await http.post(START, headers={**BEARER, "Content-Type": "application/json"}, content=body)
    assert problem(answer) == (status, detail)
    assert view.requested == []


async def test_a_body_without_a_length_is_cut_off_at_the_bound(view: FakeView) -> None:
    async def endless() -> AsyncIterator[bytes]:
        for _ in range(1_000):
            yield b"x" * 1_000

    async with client(view) as http:
        answer = await http.post(START, headers=BEARER, content=endless())
    assert answer.status_code == 413


async def test_a_refusal_of_the_service_is_a_conflict_with_its_remedy(view: FakeView) -> None:
    view.refusal = Refused("a validation runs in this process", remedy="wait for it")
    async with client(view) as http:
        answer = await http.post(START, headers=BEARER, json={})
    assert problem(answer) == (409, "a validation runs in this process (wait for it)")


async def test_unknown_paths_and_methods_are_problem_documents(view: FakeView) -> None:
    async with client(view) as http:
        assert problem(await http.get("/v1/nothing"))[0] == 404
        assert problem(await http.delete("/v1/status"))[0] == 405


async def test_the_description_lists_every_path_and_its_page_loads_nothing_from_elsewhere(view: FakeView) -> None:
    async with client(view) as http:
        paths = (await http.get("/openapi.json")).json()["paths"]
        page = await http.get("/docs")
    assert paths.keys() == {
        "/healthz", "/readyz", "/metrics", "/v1/status", "/v1/validation", "/v1/validation/{run_id}", "/v1/quarantine",
        "/v1/conflicts", "/v1/conflicts/{conflict_id}", "/v1/conflicts/choices", "/v1/conflicts/resolution",
        "/v1/quarantine/{key_id}", "/v1/quarantine/retry", "/v1/quarantine/drop", "/v1/history", "/v1/log",
        "/v1/verification",
        "/v1/audit", "/v1/events", "/v1/explain",
        "/v1/gate", "/v1/phase", "/v1/hold", "/v1/release",
    }  # fmt: skip
    assert page.headers["content-security-policy"].startswith("default-src 'none'")
    assert "http://" not in page.text
    assert "https://" not in page.text


async def test_a_real_server_answers_at_the_address_it_names(view: FakeView) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    async with (
        serve_http(Settings(http_port=port), view, VirtualClock()) as address,
        aiohttp.ClientSession() as http,
        http.get(f"{address}/v1/status") as answer,
    ):
        assert await answer.json() == {"phase": "forward"}


async def test_a_port_that_is_taken_is_named(view: FakeView) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(Misconfigured, match=f"cannot listen on 127.0.0.1:{port}: Address already in use"):
            async with serve_http(Settings(http_port=port), view, VirtualClock()):
                pass


async def test_half_a_surrogate_pair_in_a_body_is_a_bad_request(view: FakeView) -> None:
    headers = {**BEARER, "Content-Type": "application/json"}
    async with client(view) as http:
        for body in (b'{"to": "dual", "why": "\\ud800"}', b'{"to": "dual", "\\ud800\\n": 1}'):
            assert problem(await http.post(MOVE, headers=headers, content=body))[0] == 400
    assert view.phases.moves == []


async def test_an_item_s_text_is_escaped_in_json_and_means_the_same(view: FakeView) -> None:
    view.report = {"id": "run-1", "key": "\x9b2J\u202e\ud800"}
    async with client(view) as http:
        answer = await http.get(START)
    assert answer.text == '{"id":"run-1","key":"\\u009b2J\\u202e\\ud800"}'
    assert answer.json() == view.report


async def test_an_error_that_nobody_has_foreseen_is_a_problem_document_and_one_line_of_the_log(
    view: FakeView, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail(_: object) -> None:
        raise KeyError("a\nb")

    monkeypatch.setattr(view, "validation", fail)
    async with client(view) as http:
        status, detail = problem(await http.get(START))
    assert (status, detail.partition(" (")[0]) == (500, "unexpected KeyError: 'a\\nb'")
    assert "Traceback" not in "".join(capsys.readouterr())
