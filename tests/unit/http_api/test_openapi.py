"""The OpenAPI document is true: every answer of a running server is as its schemas say, and a client that is made of it works."""

import asyncio
import importlib
import json
import subprocess
import sys
from collections.abc import AsyncIterator
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import structlog
from jsonschema import Draft202012Validator

from service.config import Settings
from service.control.state import Move, change_state
from service.core.phases.gate import Condition, Gate, GateClosed
from service.core.phases.left_behind import KeysLeftBehind, Lack, left_behind
from service.errors import Refused, Retryable
from service.http_api import contract, settlement_contract
from service.http_api.problems import MAX_BODY_BYTES
from service.log import configure_log, get_logger
from tests.builders.small_crm import MAPPING
from tests.fakes.http_view import BEARER, TOKEN
from tests.worlds.served_world import COPIED_ID, KEY, RUN, UNFINISHED, WAITING_ID, Running, exact, serve_migration

EXPLAINED = "/v1/explain?key=pk%3DLEAD%23a%20sk%3DMETADATA&set=company%3DBcme"


@pytest.fixture
async def running() -> AsyncIterator[Running]:
    configure_log(Settings(log_format="json"))
    get_logger().info("a test begins", number=1)
    async with serve_migration() as served:
        yield served
    structlog.reset_defaults()


READS = [
    ("/healthz", "/healthz"),
    ("/readyz", "/readyz"),
    ("/metrics", "/metrics"),
    ("/v1/status", "/v1/status"),
    ("/v1/validation", "/v1/validation"),
    ("/v1/validation/{run_id}", f"/v1/validation/{RUN}"),
    ("/v1/validation/{run_id}", f"/v1/validation/{UNFINISHED}"),
    ("/v1/explain", EXPLAINED),
    ("/v1/explain", EXPLAINED.partition("&")[0]),
    ("/v1/quarantine", "/v1/quarantine"),
    ("/v1/quarantine", "/v1/quarantine?limit=1"),
    ("/v1/quarantine/{key_id}", f"/v1/quarantine/{COPIED_ID}"),
    ("/v1/quarantine/{key_id}", f"/v1/quarantine/{WAITING_ID}"),
    ("/v1/conflicts", "/v1/conflicts"),
    ("/v1/conflicts/{conflict_id}", "/v1/conflicts/1"),
    ("/v1/conflicts/{conflict_id}", "/v1/conflicts/2"),
    ("/v1/conflicts/{conflict_id}", "/v1/conflicts/3"),
    ("/v1/audit", "/v1/audit"),
    ("/v1/verification", "/v1/verification"),
    ("/v1/gate", "/v1/gate"),
    ("/v1/gate", "/v1/gate?to=dual"),
    ("/v1/phase", "/v1/phase"),
    ("/v1/history", "/v1/history"),
    ("/v1/log", "/v1/log"),
]
POSTS = [
    ("/v1/hold", {"why": "audit week"}),
    ("/v1/release", {}),
    ("/v1/release", {}),
    ("/v1/validation", {"sample": 1}),
]
SETTLEMENTS = {"/v1/conflicts/choices", "/v1/conflicts/resolution", "/v1/quarantine/retry", "/v1/quarantine/drop"}
"""The POSTs of a test of their own, for what one of them answers the next one needs."""


async def test_every_answer_is_as_the_document_says_and_every_path_has_one(running: Running) -> None:
    asked = {("get", path) for path, _ in READS} | {("post", path) for path in {*dict(POSTS), *SETTLEMENTS}}
    described = {(method, path) for path, methods in running.document["paths"].items() for method in methods}
    assert described - asked == {("get", "/v1/events"), ("post", "/v1/phase")}
    for path, body in POSTS[:-1]:
        running.require_described("post", path, await running.answer("POST", path, json=body, headers=BEARER))
    for path, asking in READS:
        answer = await running.answer("GET", asking)
        assert answer[0] == 200, (asking, answer)
        running.require_described("get", path, answer)
    assert (await running.answer("GET", "/v1/history"))[2]["points"]
    assert "a test begins" in [event["event"] for event in (await running.answer("GET", "/v1/log"))[2]["events"]]
    backfill = (await running.answer("GET", "/v1/status"))[2]["backfill"]
    assert (backfill["estimate"], backfill["started_at"], backfill["waiting_for"]) == (
        2,
        "1970-01-01T00:00:00Z",
        ["throttled"],
    )


async def test_what_settles_conflicts_and_quarantine_is_described(running: Running) -> None:
    async def post(path: str, **body: Any) -> Any:
        answer = await running.answer("POST", path, json=body, headers=BEARER)
        assert (answer[0], path in SETTLEMENTS) == (200, True), answer
        running.require_described("post", path, answer)
        return answer[2]

    shown = await post("/v1/conflicts/choices", ids=["1", "3"], keep="v2")
    (choice,) = shown["choices"]
    assert (choice["id"], len(choice["lost"]), shown["refused"].keys()) == ("1", 1, {"3"})
    seen = {"1": choice["seen"], "3": "never"}
    resolved = await post("/v1/conflicts/resolution", seen=seen, keep="v2", why="newer")
    assert (resolved["resolved"], resolved["open"].keys()) == (["1"], {"3"})
    retried = await post("/v1/quarantine/retry", ids=[COPIED_ID, WAITING_ID])
    assert [(key["applied"], bool(key["failure"])) for key in retried["items"]] == [(True, False), (False, True)]
    dropped = await post("/v1/quarantine/drop", ids=[WAITING_ID], why="a test item")
    assert dropped["items"] == [{"id": WAITING_ID, "changes_lost": 1}]


async def test_the_steps_of_a_move_are_described(running: Running) -> None:
    moving = Move("dual", "horizon", 0.0, 0.0, "ann")
    await change_state(running.world.control, MAPPING, 0.0, lambda was: replace(was, move=moving))
    phase = await running.answer("GET", "/v1/phase")
    assert {step["state"] for step in phase[2]["steps"]} == {"done", "now", "next"}
    running.require_described("get", "/v1/phase", phase)


async def test_a_run_and_a_move_that_stop_are_described_too(running: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    async def fail(*_: object) -> None:
        error = Retryable("throttled", reason="throttled", remedy="wait")
        error.request_id = "ABC"
        raise error

    async def open_gate(*_: object) -> None:
        pass

    monkeypatch.setattr("service.http_api.view.run_validation", fail)
    monkeypatch.setattr("service.http_api.phase_view.make_move", fail)
    monkeypatch.setattr("service.http_api.phase_view.open_gate", open_gate)
    begun = await running.answer("POST", "/v1/validation", json={}, headers=BEARER)
    running.require_described("post", "/v1/validation", begun)
    failed = await running.answer("GET", begun[2]["location"])
    assert failed[2]["state"] == "failed"
    running.require_described("get", "/v1/validation/{run_id}", failed)
    begun = await running.answer("POST", "/v1/phase", json={"to": "dual"}, headers=BEARER)
    running.require_described("post", "/v1/phase", begun)
    await asyncio.wait_for(running.view.phases._moving, 60)  # type: ignore[arg-type] # it has begun
    phase = await running.answer("GET", "/v1/phase")
    assert phase[2]["failed"]["request_id"] == "ABC"
    running.require_described("get", "/v1/phase", phase)


async def test_every_error_is_as_the_document_says(running: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    closed = Gate("forward", (Condition("quarantine", 2, 0, False, None, "tablesplit quarantine list"),))
    behind = left_behind([Lack("old", KEY, "quarantine", "1 of its changes wait")], 0, None)
    refusals = {"start": KeysLeftBehind(closed, (), behind, None), "hold": Refused("no"), "release": GateClosed(closed)}

    def refusing(error: Exception) -> Any:
        async def refuse(*_: object, **__: object) -> None:
            raise error

        return refuse

    for name, error in refusals.items():
        monkeypatch.setattr(running.view.phases, name, refusing(error))
    monkeypatch.setattr(running.view, "page", refusing(Retryable("throttled", reason="throttled")))
    monkeypatch.setattr(running.view, "status", refusing(KeyError("x")))
    wrong = {"Authorization": "Bearer wrong"}
    errors: list[tuple[str, str, str, dict[str, Any], int]] = [
        ("post", "/v1/phase", "/v1/phase", {"json": {"to": "forward"}, "headers": BEARER}, 409),
        ("post", "/v1/hold", "/v1/hold", {"json": {"why": "x"}, "headers": BEARER}, 409),
        ("post", "/v1/release", "/v1/release", {"headers": BEARER}, 409),
        ("post", "/v1/hold", "/v1/hold", {"json": {}, "headers": BEARER}, 400),
        ("post", "/v1/hold", "/v1/hold", {"data": b"x" * (MAX_BODY_BYTES + 1), "headers": BEARER}, 413),
        ("post", "/v1/hold", "/v1/hold", {"json": {"why": "x"}}, 401),
        *[("post", "/v1/hold", "/v1/hold", {"json": {"why": "x"}, "headers": wrong}, 401)] * 5,
        ("post", "/v1/hold", "/v1/hold", {"json": {"why": "x"}, "headers": wrong}, 429),
        ("get", "/v1/quarantine", "/v1/quarantine", {}, 503),
        ("get", "/v1/quarantine", "/v1/quarantine?limit=0", {}, 400),
        ("get", "/v1/status", "/v1/status", {}, 500),
        ("get", "/v1/status", "/v1/status", {"headers": {"Host": "example.com"}}, 421),
        ("get", "/v1/gate", "/v1/gate?to=complete", {}, 409),
        ("get", "/v1/explain", "/v1/explain?key=pk%3DLEAD%23b%20sk%3DMETADATA", {}, 404),
        ("get", "/v1/validation/{run_id}", "/v1/validation/none", {}, 404),
        ("get", "/v1/conflicts/{conflict_id}", "/v1/conflicts/none", {}, 404),
        ("get", "/v1/quarantine/{key_id}", "/v1/quarantine/none", {}, 404),
        *[("post", path, path, {"json": {}, "headers": BEARER}, 400) for path in sorted(SETTLEMENTS)],
    ]
    for method, path, asking, request, status in errors:
        answer = await running.answer(method.upper(), asking, **request)
        assert (answer[0], answer[1]) == (status, "application/problem+json"), (asking, answer)
        running.require_described(method, path, answer)


async def test_a_head_is_answered_as_its_get_without_the_content(running: Running) -> None:
    for _, asking in READS:
        async with (
            running.http.head(f"{running.address}{asking}") as head,
            running.http.get(f"{running.address}{asking}") as get,
        ):
            assert (head.status, head.content_type, await head.read()) == (get.status, get.content_type, b"")
    for asking, status in (
        ("/", 200),
        ("/v1/events", 200),
        ("/docs", 200),
        ("/v1/validation/none", 404),
        ("/v1/hold", 405),
    ):
        async with running.http.head(f"{running.address}{asking}") as head:
            assert (head.status, await head.read()) == (status, b"")


async def test_the_document_names_the_program_s_version_and_its_examples_are_true(running: Running) -> None:
    assert running.document["info"]["version"] == version("tablesplit")
    schemas = running.document["components"]["schemas"]
    with_examples = {name: schema for name, schema in schemas.items() if "examples" in schema}
    bodies = {name for name in schemas if name.endswith("Request")}
    assert len(bodies) == 7
    models = {**vars(contract), **vars(settlement_contract)}
    assert with_examples.keys() == {*bodies, "Problem"}
    for name, schema in with_examples.items():
        for example in schema["examples"]:
            closed = {**exact(schemas[name]), "components": exact(running.document["components"])}
            Draft202012Validator(closed).validate(example)
            if name in bodies:
                models[name].model_validate(example)


@pytest.fixture(scope="module")
def generated(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Makes a client of a document, once, as a user's program would; gives its package."""
    folder: Path = tmp_path_factory.mktemp("client")

    def package(document: dict[str, Any]) -> ModuleType:
        (folder / "openapi.json").write_text(json.dumps(document), encoding="utf-8")
        (folder / "config.yml").write_text("post_hooks: []\n", encoding="utf-8")
        subprocess.run(
            [
                *(sys.executable, "-m", "openapi_python_client", "generate", "--fail-on-warning", "--meta", "none"),
                *("--path", "openapi.json", "--config", "config.yml", "--output-path", "tablesplit_client"),
            ],
            cwd=folder,
            check=True,
            capture_output=True,
        )
        sys.path.insert(0, str(folder))
        return importlib.import_module("tablesplit_client")

    yield package
    sys.path.remove(str(folder))


async def test_a_client_that_is_generated_from_the_document_works(running: Running, generated: Any) -> None:
    client_of = generated(running.document).AuthenticatedClient

    def call(operation: str, **given: Any) -> Any:
        module = importlib.import_module(f"tablesplit_client.api.default.{operation}")
        return module.asyncio(client=client, **given)

    models = importlib.import_module("tablesplit_client.models")
    async with client_of(base_url=running.address, token=TOKEN) as client:
        held = await call("post_hold", body=models.HoldRequest(why="audit week"))
        assert held.hold.why == "audit week"
        status = await call("get_status")
        assert (status.phase, status.quarantine, status.hold[:10]) == ("forward", 2, "audit week")
        keys = (await call("get_quarantine", limit=10)).items
        found = {(key.key.additional_properties["pk"], key.reason) for key in keys}
        assert found == {("LEAD#a", "bad"), ("GOBLIN#b", "unknown_entity")}
        kinds = [conflict.kind for conflict in (await call("get_conflicts")).items]
        assert kinds == ["conflict", "two_live_keys"]
        conflict = await call("get_conflicts_by_conflict_id", conflict_id="1")
        assert conflict.lost.additional_properties["company"] == {"S": "Acme"}
        choice = models.ChoicesRequest(keep=models.ChoicesRequestKeep.V2, ids=["1"])
        assert (await call("post_conflicts_choices", body=choice)).choices[0].id == "1"
        report = await call("get_validation_by_run_id", run_id=RUN)
        assert (report.result, report.differences[0].kind) == ("different", "missing")
        explained = await call("get_explain", key="pk=LEAD#a sk=METADATA", set_=["company=Bcme"])
        assert explained.edit.old[0].name == "company"
        refused = await call("get_gate", to=models.GetGateToType0.COMPLETE)
        assert isinstance(refused, models.Problem)
        assert (refused.status, refused.title) == (409, "refused")
