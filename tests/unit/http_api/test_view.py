"""What the HTTP side shows of this process, and starts in it."""

import json
from types import SimpleNamespace
from typing import Any, cast

import pytest

from service.config import Settings
from service.control.table import ControlTable
from service.errors import Misconfigured, Refused
from service.http_api.contract import ValidationRequest
from service.http_api.view import HttpView
from service.migration.start import create_and_start
from service.sync.forward_lane import ForwardLane
from service.sync.reverse_lane import ReverseLane
from service.sync.worker import Lanes
from tests.builders.small_crm import MAPPING
from tests.fakes.clocks import VirtualClock, settle
from tests.fakes.memory import MemoryDynamoDB
from tests.worlds.start_world import Started


@pytest.fixture
def view() -> HttpView:
    db = MemoryDynamoDB()
    db.create_table("control", ("pk", "sk"))
    app = SimpleNamespace(clock=VirtualClock(), mapping=MAPPING, control=ControlTable(db, "control"))
    return HttpView(cast(Any, app), cast(Any, SimpleNamespace(unready=lambda: None)))


async def test_a_validation_that_fails_says_so_under_its_id(view: HttpView, monkeypatch: pytest.MonkeyPatch) -> None:
    async def fail(*_: object) -> None:
        raise Refused("another validation is running", remedy="wait for it")

    monkeypatch.setattr("service.http_api.view.run_validation", fail)
    run = await view.start_validation(ValidationRequest())
    await settle()
    assert await view.validation(run) == {
        "id": run,
        "state": "failed",
        "error": {"kind": "refused", "message": "another validation is running", "remedy": "wait for it"},
    }
    assert await view.validation(None) is None
    assert await view.validation("20260101T000000Z-abcdef") is None


async def test_one_validation_at_a_time_is_started_here(view: HttpView, monkeypatch: pytest.MonkeyPatch) -> None:
    async def until_stopped(_app: object, _options: object, stop: Any) -> None:
        await stop.wait()

    monkeypatch.setattr("service.http_api.view.run_validation", until_stopped)
    await view.start_validation(ValidationRequest())
    with pytest.raises(Refused, match="a validation runs in this process"):
        await view.start_validation(ValidationRequest())
    await view.close()


async def test_an_entity_that_the_mapping_does_not_know_is_refused_at_once(view: HttpView) -> None:
    with pytest.raises(Misconfigured, match="unknown entity 'GOBLIN'"):
        await view.start_validation(ValidationRequest(entity="GOBLIN"))


async def test_conflicts_are_listed_as_on_the_command_line(view: HttpView) -> None:
    assert await view.conflicts() == {"items": []}


@pytest.fixture
async def started() -> HttpView:
    """The view of a migration that has begun, on tables in memory."""
    world = Started()
    await create_and_start(world.app)
    world.app.settings = Settings(endpoint_url="http://memory", control_table="control")  # type: ignore[misc] # a namespace
    return HttpView(world.app, Lanes(ForwardLane(world.app), ReverseLane(world.app)))


async def test_the_console_gets_everything_its_page_shows(started: HttpView) -> None:
    await started.phases.hold("audit week")
    events = started.events()
    assert events is not None
    name, content, *_ = (await anext(events)).decode().split("\n")
    document = json.loads(content.removeprefix("data: "))
    await started.close()
    assert name == "event: status"
    assert document.keys() == {
        "status", "unready", "phase", "validation", "validating", "quarantine", "conflicts", "verification",
        "audit",
    }  # fmt: skip
    assert document["status"]["hold"].startswith("audit week")
    assert [record["action"] for record in document["audit"]] == ["hold"]
    assert document["phase"]["failed"] is None


async def test_a_hold_is_taken_away_once(started: HttpView) -> None:
    await started.phases.hold("audit week")
    assert (await started.phases.release())["released"]["why"] == "audit week"
    assert await started.phases.release() == {"released": None}


async def test_the_audit_log_names_the_owner_of_the_token(started: HttpView) -> None:
    await started.phases.hold("audit week", by="alice")
    (record,) = (await started.audit())["items"]
    assert record["who"].startswith("alice, over HTTP through access key ")
