"""What the HTTP side shows of this process, and starts in it."""

import json
from collections import Counter
from types import SimpleNamespace
from typing import Any, cast

import pytest

from service.config import Settings
from service.control.conflicts import Conflict, Conflicts, Held, Resolution
from service.control.quarantine import Quarantine
from service.control.table import ControlTable
from service.control.verification import PAGE_ITEMS
from service.errors import Misconfigured, Poison, Refused
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


async def test_a_validation_that_a_bug_ends_has_failed_too(view: HttpView, monkeypatch: pytest.MonkeyPatch) -> None:
    async def fail(*_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr("service.http_api.view.run_validation", fail)
    run = await view.start_validation(ValidationRequest())
    await settle()
    document = await view.validation(run)
    assert document is not None
    assert (document["state"], document["error"]["kind"]) == ("failed", "unexpected")
    await view.close()


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


async def test_an_empty_list_is_one_page_that_says_when_it_was_read(view: HttpView) -> None:
    for name in ("conflicts", "quarantine", "audit"):
        document = await view.page(name)
        assert (document["items"], document["next"], document["as_of"]) == ([], None, "2023-11-14T22:13:20Z")
    await view.close()


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
        "status", "unready", "phase", "rates", "v2_tables", "validation", "validating", "quarantine", "conflicts",
        "verification", "audit",
    }  # fmt: skip
    assert document["status"]["hold"].startswith("audit week")
    assert [record["action"] for record in document["audit"]] == ["hold"]
    assert document["phase"]["failed"] is None
    assert document["v2_tables"] == list(MAPPING.tables)
    assert document["rates"].keys() == {"forward", "reverse"}


async def test_a_hold_is_taken_away_once(started: HttpView) -> None:
    await started.phases.hold("audit week")
    assert (await started.phases.release())["released"]["why"] == "audit week"
    assert await started.phases.release() == {"released": None}


async def test_the_audit_log_names_the_owner_of_the_token(started: HttpView) -> None:
    await started.phases.hold("audit week", by="alice")
    (record,) = (await started.page("audit"))["items"]
    assert record["who"].startswith("alice, over HTTP through access key ")


async def test_forty_clients_of_a_large_quarantine_read_what_one_reads(started: HttpView) -> None:
    app = started._app
    quarantine = Quarantine(app.control, app.clock)
    for number in range(300):
        await quarantine.add_copy("old", {"pk": {"S": str(number)}}, Poison("bad", reason="bad"))
    reads: Counter[str] = Counter()

    async def note(operation: str, _: object) -> None:
        reads[operation] += 1

    cast(MemoryDynamoDB, app.store).before = note
    documents = [await started.status(), await started.page("quarantine"), await started.phases.gate(None)]
    assert all(document["as_of"] for document in documents)
    assert (documents[0]["quarantine"], documents[1]["count"], len(documents[1]["items"])) == (300, 300, 100)
    once = reads.total()
    for _ in range(40):
        again = [await started.status(), await started.page("quarantine"), await started.phases.gate(None)]
        assert again == documents
    assert reads.total() == once
    further = await started.page("quarantine", documents[1]["next"], 250)
    assert (len(further["items"]), further["next"]) == (200, None)
    await started.close()


async def test_a_hold_is_seen_at_once_by_who_has_set_it(started: HttpView) -> None:
    assert (await started.status())["hold"] is None
    await started.phases.hold("audit week")
    assert (await started.status())["hold"].startswith("audit week")
    assert (await started.phases.phase())["hold"].startswith("audit week")
    await started.close()


async def test_conflicts_and_held_items_are_paged_together_in_the_order_of_their_ids(started: HttpView) -> None:
    log = Conflicts(started._app.control)
    db = cast(MemoryDynamoDB, started._app.store)
    for number in range(7):
        name = f"{number}"
        await log.keep(Conflict(name, "old", {"pk": {"S": name}}, "LEAD", "overlap", (), None, (), 0.0))
        assert db.apply(*await log.held_puts(f"{number}h", Held("old", {"pk": {"S": name}}, "LEAD", (), 0.0)))
    for name in ("1", "2"):
        was = await log.head(name)
        assert await log.resolve(name, was, Resolution("v2", "ann", 0.0))
    found, after = [], ""
    while after is not None:
        document = await started.page("conflicts", after, 3)
        assert len(document["items"]) <= 3
        found += [item["id"] for item in document["items"]]
        after = document["next"]
    assert found == [f"{number}{kind}" for number in range(7) for kind in ("", "h") if f"{number}{kind}" not in "12"]
    await started.close()


async def test_open_conflicts_behind_many_resolved_ones_are_shown(started: HttpView) -> None:
    log = Conflicts(started._app.control)
    for number in range(PAGE_ITEMS + 20):
        name = f"{number:04}"
        await log.keep(Conflict(name, "old", {"pk": {"S": name}}, "LEAD", "overlap", (), None, (), 0.0))
        if number < PAGE_ITEMS + 15:
            assert await log.resolve(name, await log.head(name), Resolution("v2", "ann", 0.0))
    events = started.events()
    assert events is not None
    document = json.loads((await anext(events)).decode().partition("data: ")[2])
    assert [item["id"] for item in document["conflicts"]] == [f"{PAGE_ITEMS + number:04}" for number in range(15, 20)]
    assert (await started.page("conflicts", "", 3))["next"] == f"{PAGE_ITEMS + 17:04}"
    await started.close()


async def test_the_audit_log_is_paged_from_its_first_record_on(started: HttpView) -> None:
    for number in range(5):
        await started.phases.hold(str(number))
    first = await started.page("audit", "", 3)
    second = await started.page("audit", first["next"], 3)
    assert [record["number"] for record in first["items"] + second["items"]] == [1, 2, 3, 4, 5]
    assert (first["next"], second["next"]) == ("3", None)
    with pytest.raises(Misconfigured, match="no number of a record"):
        await started.page("audit", "x", 3)
    await started.close()
