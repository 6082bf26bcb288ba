"""A migration in memory of which every list has something, served at a port with its OpenAPI document."""

import json
import socket
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass, replace
from typing import Any

import aiohttp
from jsonschema import Draft202012Validator

from backfill.records import BackfillBeat, BackfillRecords
from backfill.segments import BackfillRun
from service.clock import SystemClock
from service.config import Settings
from service.control.conflicts import Conflict, Conflicts, Held, Resolution
from service.control.quarantine import Quarantine, quarantine_id
from service.control.verification import Differences, Differing, Verification, save_verification
from service.control.waiting_changes import WaitingChange
from service.core.item.change import Change
from service.core.item.write import Put
from service.errors import Poison
from service.http_api.server import serve_http
from service.http_api.view import HttpView
from service.migration.start import create_and_start
from service.migration.status.history import History
from service.migration.status.snapshot import take_running_snapshot
from service.sync.forward_lane import ForwardLane
from service.sync.reverse_lane import ReverseLane
from service.sync.worker import Lanes
from service.validation.records import LATEST, RunRecords
from service.validation.report import Difference, Report
from service.validation.tally import Tally
from tests.builders.small_crm import lead, lead_key, old_key, v2_of
from tests.fakes.http_view import TOKEN
from tests.worlds.start_world import Started

KEY, V2_KEY = old_key("LEAD", "a"), lead_key("a")
BAD = {**old_key("GOBLIN", "b"), "entity_type": {"S": "GOBLIN"}}
"""An old item that the mapping does not know."""
COPIED_ID, WAITING_ID = quarantine_id("old", KEY), quarantine_id("old", old_key("GOBLIN", "b"))
"""Of the keys in quarantine: one that the backfill could not copy, but can now, and one of a change of BAD."""
RUN, UNFINISHED = "20260101T000000Z-abcdef", "20260102T000000Z-abcdef"
LONG_AGO = "2026-01-01T00:00:00.000Z"


@dataclass
class Running:
    """A server, and the view that it shows."""

    address: str
    view: HttpView
    http: aiohttp.ClientSession
    document: dict[str, Any]
    world: Started

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


@asynccontextmanager
async def serve_migration() -> AsyncIterator[Running]:
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
    lanes = Lanes(ForwardLane(world.app), ReverseLane(world.app))
    view = HttpView(world.app, lanes, await history_of(world))
    async with serve_http(settings, view, SystemClock()) as address, aiohttp.ClientSession() as http:
        async with http.get(f"{address}/openapi.json") as answer:
            document = await answer.json()
        yield Running(address, view, http, document, world)
        await view.close()


async def fill(world: Started) -> None:
    """Something for every list, and a backfill that is under way."""
    control = world.control
    world.db.after = None
    for item in (lead("a", company={"S": "Acme"}), BAD):
        world.db.apply(Put("old", item))
    world.db.apply(Put("leads", v2_of(lead("a"))))
    await BackfillRecords(control).save_run(BackfillRun("run", "hash", 1, 4, 0.0, estimate=2))
    await BackfillRecords(control).save_beat(BackfillBeat("run", time.time(), 1.0, 2.0, ("throttled",)))
    await keep_quarantine(world)
    await keep_conflicts(Conflicts(control), world)
    await save_verification(control, Verification(1, 0, (KEY,), 0.0, total=1))
    differing = Differing(KEY, "LEAD", "fields", (("leads", V2_KEY),), ("status",), 0.0, 60.0)
    await Differences(control).replace({}, {"a": differing})
    await keep_reports(world)


async def keep_quarantine(world: Started) -> None:
    quarantine = Quarantine(world.control, world.clock)
    await quarantine.add_copy("old", KEY, Poison("bad", reason="bad"))
    change = Change("old", "shard", "100", old_key("GOBLIN", "b"), None, BAD, created=0.0)
    await quarantine.add_change(WaitingChange(change, 1), Poison("no such entity", reason="unknown_entity"))


async def keep_conflicts(log: Conflicts, world: Started) -> None:
    """1: open, with all images; 2: resolved; 3: an item with two live keys."""
    change = Change("old", "shard", "100", KEY, lead("a"), lead("a", company={"S": "Acme"}), created=0.0)
    v2 = (("leads", V2_KEY, v2_of(lead("a"))),)
    await log.keep(Conflict("1", "old", KEY, "LEAD", "overlap", ("company",), WaitingChange(change, 1), v2, 0.0))
    await log.keep(Conflict("2", "old", KEY, "LEAD", "replaced", ("status",), None, (), 0.0, old=lead("a")))
    assert await log.resolve("2", await log.head("2"), Resolution("v2", "ann", 0.0))
    assert world.db.apply(*await log.held_puts("3", Held("old", KEY, "LEAD", (("leads", V2_KEY),), 0.0)))


async def history_of(world: Started) -> History:
    """The lanes half a minute ago, in three samples."""
    facts, history = (await take_running_snapshot(world.app)).facts, History()
    for seconds in (30, 20, 10):
        history.add(replace(facts, now=time.time() - seconds))
    return history


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
