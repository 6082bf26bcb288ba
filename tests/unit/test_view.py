"""What the HTTP side is told by this process's parts."""

from types import SimpleNamespace
from typing import Any, cast

import pytest

from service.control_table import ControlTable
from service.errors import Misconfigured, Refused
from service.http_api import ValidationRequest
from service.view import View
from tests.clocks import VirtualClock, settle
from tests.memory import MemoryDynamoDB
from tests.validation_world import MAPPING


@pytest.fixture
def view() -> View:
    db = MemoryDynamoDB()
    db.create_table("control", ("pk", "sk"))
    app = SimpleNamespace(clock=VirtualClock(), mapping=MAPPING, control=ControlTable(db, "control"))
    return View(cast(Any, app), cast(Any, SimpleNamespace(unready=lambda: None)))


async def test_a_validation_that_fails_says_so_under_its_id(view: View, monkeypatch: pytest.MonkeyPatch) -> None:
    async def fail(*_: object) -> None:
        raise Refused("another validation is running", remedy="wait for it")

    monkeypatch.setattr("service.view.run_validation", fail)
    run = await view.start_validation(ValidationRequest())
    await settle()
    assert await view.validation(run) == {
        "id": run,
        "state": "failed",
        "error": {"kind": "refused", "message": "another validation is running", "remedy": "wait for it"},
    }
    assert await view.validation(None) is None
    assert await view.validation("20260101T000000Z-abcdef") is None


async def test_one_validation_at_a_time_is_started_here(view: View, monkeypatch: pytest.MonkeyPatch) -> None:
    async def until_stopped(_app: object, _options: object, stop: Any) -> None:
        await stop.wait()

    monkeypatch.setattr("service.view.run_validation", until_stopped)
    await view.start_validation(ValidationRequest())
    with pytest.raises(Refused, match="a validation runs in this process"):
        await view.start_validation(ValidationRequest())
    await view.close()


async def test_an_entity_that_the_mapping_does_not_know_is_refused_at_once(view: View) -> None:
    with pytest.raises(Misconfigured, match="unknown entity 'GOBLIN'"):
        await view.start_validation(ValidationRequest(entity="GOBLIN"))


async def test_conflicts_are_listed_as_on_the_command_line(view: View) -> None:
    assert await view.conflicts() == {"items": []}
