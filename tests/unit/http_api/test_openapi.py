"""The OpenAPI document is true: every answer of a running server is as its schemas say, and a client that is made of it works."""

import asyncio
import importlib
import json
import socket
import subprocess
import sys
from collections.abc import AsyncIterator
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from types import ModuleType
from typing import Any

import aiohttp
import pytest
from jsonschema import Draft202012Validator

from service.clock import SystemClock
from service.config import Settings
from service.control.conflicts import Conflict, Conflicts, Held, Resolution
from service.control.quarantine import Quarantine
from service.control.verification import Differences, Differing, Verification, save_verification
from service.core.item.write import Put
from service.core.phases.gate import Condition, Gate, GateClosed
from service.core.phases.left_behind import KeysLeftBehind, Lack, left_behind
from service.errors import Poison, Refused, Retryable
from service.http_api.problems import MAX_BODY_BYTES
from service.http_api.server import serve_http
from service.http_api.view import HttpView
from service.migration.start import create_and_start
from service.sync.forward_lane import ForwardLane
from service.sync.reverse_lane import ReverseLane
from service.sync.worker import Lanes
from service.validation.records import LATEST, RunRecords
from service.validation.report import Difference, Report
from service.validation.tally import Tally
from tests.builders.small_crm import lead
from tests.fakes.http_view import BEARER, TOKEN
from tests.worlds.start_world import Started

KEY = {"pk": {"S": "LEAD#a"}, "sk": {"S": "METADATA"}}
V2_KEY = {"PK": {"S": "LEAD"}, "SK": {"S": "2024-03#a"}}
EXPLAINED = "/v1/explain?key=pk%3DLEAD%23a%20sk%3DMETADATA&set=company%3DBcme"
RUN, UNFINISHED = "20260101T000000Z-abcdef", "20260102T000000Z-abcdef"
LONG_AGO = "2026-01-01T00:00:00.000Z"


@dataclass
class Running:
    """A server, and the view that it shows."""

    address: str
    view: HttpView
    http: aiohttp.ClientSession
    document: dict[str, Any]

    async def answer(self, method: str, path: str, **request: Any) -> tuple[int, str, Any]:
        """Status, media type and content, JSON read."""
        async with self.http.request(method, f"{self.address}{path}", **request) as answer:
            text = await answer.text()
            return answer.status, answer.content_type, json.loads(text) if "json" in answer.content_type else text

    def require_described(self, method: str, path: str, answer: tuple[int, str, Any]) -> None:
        """The answer is one that the document has, with no word more or less than its schema."""
        status, media_type, content = answer
        schema = self.document["paths"][path][method]["responses"][str(status)]["content"][media_type]["schema"]
        components = {"components": exact(self.document["components"])}
        Draft202012Validator({**exact(schema), **components}).validate(content)


def exact(schema: Any) -> Any:
    """The schema, with every object closed: what is not described must not be there."""
    if isinstance(schema, list):
        return [exact(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    closed = {name: exact(part) for name, part in schema.items() if name != "examples"}
    return {**closed, "additionalProperties": False} if "properties" in closed else closed


@pytest.fixture
async def running() -> AsyncIterator[Running]:
    """A migration in memory of which every list has something, served at a port."""
    world = Started()
    await create_and_start(world.app)
    await fill(world)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    settings = Settings(endpoint_url="http://memory", control_table="control", http_port=port, api_token=TOKEN)  # type: ignore[arg-type]
    world.app.clock = SystemClock()  # type: ignore[misc] # a namespace; a request that waits its turn goes on by itself
    world.app.settings = settings  # type: ignore[misc] # a namespace
    view = HttpView(world.app, Lanes(ForwardLane(world.app), ReverseLane(world.app)))
    async with serve_http(settings, view, SystemClock()) as address, aiohttp.ClientSession() as http:
        async with http.get(f"{address}/openapi.json") as answer:
            document = await answer.json()
        yield Running(address, view, http, document)
        await view.close()


async def fill(world: Started) -> None:
    control, clock = world.control, world.clock
    world.db.after = None
    world.db.apply(Put("old", lead("a", company={"S": "Acme"})))
    await Quarantine(control, clock).add_copy("old", KEY, Poison("bad", reason="bad"))
    log = Conflicts(control)
    for name in ("1", "2"):
        await log.keep(Conflict(name, "old", KEY, "LEAD", "overlap", ("status",), None, (), 0.0))
    assert await log.resolve("2", await log.head("2"), Resolution("v2", "ann", 0.0))
    assert world.db.apply(*await log.held_puts("3", Held("old", KEY, "LEAD", (("leads", V2_KEY),), 0.0)))
    await save_verification(control, Verification(1, 0, (KEY,), 0.0, total=1))
    differing = Differing(KEY, "LEAD", "fields", (("leads", V2_KEY),), ("status",), 0.0, 60.0)
    await Differences(control).replace({}, {"a": differing})
    await keep_reports(world)


async def keep_reports(world: Started) -> None:
    """A finished run that has found a difference, and one that is not finished."""
    tally: Tally = Tally()
    tally["items", "LEAD", "old"] = tally["index", "LEAD", "GSI1", "checked"] = tally["run", "differences"] = 1
    report = Report(RUN, "hash", LONG_AGO, LONG_AGO, ("LEAD",), tally, [])
    finished = RunRecords(world.control, RUN, 1)
    await finished.save("report", report.to_json())
    found = Difference("missing", "LEAD", KEY, None, ("status",), LONG_AGO)
    await finished.save("difference#1", found.to_json())
    await finished.point(LATEST, {"id": RUN})
    await finished.point("full", asdict(report.full_run()))
    await RunRecords(world.control, UNFINISHED, 1).save("run", {"question": "hash", "started_at": LONG_AGO})


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
    ("/v1/conflicts", "/v1/conflicts"),
    ("/v1/audit", "/v1/audit"),
    ("/v1/verification", "/v1/verification"),
    ("/v1/gate", "/v1/gate"),
    ("/v1/gate", "/v1/gate?to=dual"),
    ("/v1/phase", "/v1/phase"),
]
POSTS = [
    ("/v1/hold", {"why": "audit week"}),
    ("/v1/release", {}),
    ("/v1/release", {}),
    ("/v1/validation", {"sample": 1}),
]


async def test_every_answer_is_as_the_document_says_and_every_path_has_one(running: Running) -> None:
    asked = {("get", path) for path, _ in READS} | {("post", path) for path, _ in POSTS}
    described = {(method, path) for path, methods in running.document["paths"].items() for method in methods}
    assert described - asked == {("get", "/v1/events"), ("post", "/v1/phase")}
    for path, body in POSTS[:-1]:
        running.require_described("post", path, await running.answer("POST", path, json=body, headers=BEARER))
    for path, asking in READS:
        answer = await running.answer("GET", asking)
        assert answer[0] == 200, (asking, answer)
        running.require_described("get", path, answer)


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
    assert with_examples.keys() == {"ValidationRequest", "PhaseRequest", "HoldRequest", "Problem"}
    for name, schema in with_examples.items():
        for example in schema["examples"]:
            closed = {**exact(schemas[name]), "components": exact(running.document["components"])}
            Draft202012Validator(closed).validate(example)


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
        assert (status.phase, status.quarantine, status.hold[:10]) == ("forward", 1, "audit week")
        (key,) = (await call("get_quarantine", limit=10)).items
        assert (key.key.additional_properties["pk"], key.reason) == ("LEAD#a", "bad")
        kinds = [conflict.kind for conflict in (await call("get_conflicts")).items]
        assert kinds == ["conflict", "two_live_keys"]
        report = await call("get_validation_by_run_id", run_id=RUN)
        assert (report.result, report.differences[0].kind) == ("different", "missing")
        explained = await call("get_explain", key="pk=LEAD#a sk=METADATA", set_=["company=Bcme"])
        assert explained.edit.old[0].name == "company"
        refused = await call("get_gate", to=models.GetGateToType0.COMPLETE)
        assert isinstance(refused, models.Problem)
        assert (refused.status, refused.title) == (409, "refused")
