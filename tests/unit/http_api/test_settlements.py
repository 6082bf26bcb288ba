"""Settling over HTTP does what the commands do, by the same rules: on real sides, with the audit log naming who asked."""

import json
from types import SimpleNamespace
from typing import Any, cast

import pytest

from service.config import Settings
from service.control.state import Move, change_state
from service.control.stores import Stores
from service.core.item.write import Put
from service.errors import Misconfigured, Poison, Refused
from service.http_api.settlement_contract import ChoicesRequest, DropRequest, ResolutionRequest, RetryRequest
from service.http_api.settlements import Settlements
from service.telemetry.metrics import Metrics
from tests.builders.small_crm import MAPPING, lead, lead_key
from tests.worlds.both_ways_world import BothWays
from tests.worlds.conflict_world import CHANGED, MERGED, OLD_LOST, V2_WINS, AuditNotes, make_conflict, state_in_dual


class Settling:
    """The HTTP side's settlements on a migration in dual, in memory."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.world = BothWays()
        self.notes = AuditNotes()
        self.changes = 0

        async def context(_: object, by: str) -> Any:
            return SimpleNamespace(by=by, audit=SimpleNamespace(append=self.notes))

        async def changed() -> None:
            self.changes += 1

        monkeypatch.setattr("service.http_api.settlements.move_context", context)
        self.settlements = Settlements(cast(Any, self._app()), changed)

    def _app(self) -> SimpleNamespace:
        world = self.world

        async def describe(name: str) -> str:
            return name

        return SimpleNamespace(
            settings=Settings(control_table="control", endpoint_url="http://localhost:8000"),
            mapping=MAPPING,
            clock=world.clock,
            store=world.db,
            control=world.control,
            stores=Stores(world.db, world.control, MAPPING, world.clock),
            tables=SimpleNamespace(describe=describe),
            metrics=Metrics(),
        )

    async def in_state(self, **parts: Any) -> None:
        await change_state(self.world.control, MAPPING, 0.0, lambda _: state_in_dual(**parts))

    async def seen(self, name: str, **choice: Any) -> str:
        """The ``seen`` of a choice that has been shown."""
        shown = await self.settlements.choices(ChoicesRequest(ids=[name], **choice))
        return str(shown["choices"][0]["seen"])


@pytest.fixture
async def it(monkeypatch: pytest.MonkeyPatch) -> Settling:
    settling = Settling(monkeypatch)
    await settling.in_state()
    return settling


async def test_a_conflict_is_shown_in_full_with_both_sides_as_old_items(it: Settling) -> None:
    name = await make_conflict(it.world, CHANGED)
    document = await it.settlements.conflict(name)
    (v2,) = document["v2_as_old"]
    assert (document["change"]["old"].get("company"), document["change"]["new"]["company"]) == (
        lead("a").get("company"),
        OLD_LOST["company"],
    )
    assert (v2["company"], document["lost"]["company"]) == (V2_WINS["company"], OLD_LOST["company"])
    with pytest.raises(Misconfigured):
        await it.settlements.conflict("nope")


@pytest.mark.parametrize(
    ("choice", "company"),
    [
        ({"keep": "v2"}, "v2 side"),
        ({"keep": "old"}, "old side"),
        ({"keep": "merge", "item": json.dumps(MERGED)}, "both"),
    ],
    ids=["v2", "old", "merge"],
)
async def test_what_was_shown_is_written_and_both_sides_end_alike(
    it: Settling, choice: dict[str, Any], company: str
) -> None:
    name = await make_conflict(it.world, CHANGED)
    seen = await it.seen(name, **choice)
    assert (await it.world.conflicts.count_open(), it.notes) == (1, [])
    answer = await it.settlements.resolve(ResolutionRequest(seen={name: seen}, why="newer", **choice), by="alice")
    assert answer == {"resolved": [name], "kept": choice["keep"], "open": {}}
    await it.world.carry()
    assert (it.world.old_lead() or {})["company"] == {"S": company}
    assert await it.world.conflicts.count_open() == 0
    ((action, why, facts),) = it.notes
    assert (action, why, facts["id"], facts["kept"]) == ("conflict resolved", "newer", name, choice["keep"])
    (head,) = (await it.world.conflicts.heads()).values()
    assert head.resolution is not None
    assert head.resolution.by == "alice"
    assert it.changes == 1


async def test_what_was_not_shown_is_not_given_up(it: Settling) -> None:
    name = await make_conflict(it.world, CHANGED)
    seen = await it.seen(name, keep="old")
    it.world.edit("leads", lead_key("a"), company={"S": "newest on v2"})
    answer = await it.settlements.resolve(ResolutionRequest(seen={name: seen}, keep="old"), by="alice")
    assert answer["resolved"] == []
    assert "has changed since it was shown" in answer["open"][name]
    other = await it.settlements.resolve(
        ResolutionRequest(seen={name: await it.seen(name, keep="old")}, keep="v2"), by="a"
    )
    assert other["resolved"] == []
    assert (await it.world.conflicts.count_open(), it.notes) == (1, [])
    assert (it.world.v2_lead() or {})["company"] == {"S": "newest on v2"}


async def test_a_wrong_item_and_an_unknown_id_are_refused_as_by_the_command(it: Settling) -> None:
    name = await make_conflict(it.world, CHANGED)
    with pytest.raises(Misconfigured, match="it describes the old item"):
        await it.seen(name, keep="merge", item=json.dumps(lead("b")))
    with pytest.raises(Misconfigured, match="the item:1: not JSON"):
        await it.seen(name, keep="merge", item="{")
    with pytest.raises(Misconfigured):
        await it.seen("nope", keep="v2")


async def test_where_v2_is_not_carried_only_v2_can_be_kept(it: Settling) -> None:
    name = await make_conflict(it.world, CHANGED)
    await it.in_state(phase="complete")
    answer = await it.settlements.choices(ChoicesRequest(ids=[name], keep="old"))
    assert answer == {
        "choices": [],
        "refused": {name: "v2 is not carried to the old table now, so only v2 can be kept"},
    }


async def test_a_key_in_quarantine_is_shown_dropped_and_named_in_the_audit_log(it: Settling) -> None:
    item = {"pk": {"S": "DEAL#1"}, "sk": {"S": "METADATA"}, "entity_type": {"S": "GOBLIN"}}
    it.world.db.apply(Put("old", item))
    key = {name: item[name] for name in ("pk", "sk")}
    await it.world.quarantine.add_copy("old", key, Poison("no such entity", reason="unknown_entity"))
    (name,) = await it.world.quarantine.heads()
    document = await it.settlements.quarantined(name)
    assert (document["reason"], document["id"], document["item_now"]) == ("unknown_entity", name, item)
    answer = await it.settlements.drop(DropRequest(ids=["left", name, name], why="a test item"), by="alice")
    assert answer == {"items": [{"id": name, "changes_lost": document["waiting"]}], "gone": ["left"]}
    assert await it.world.quarantine.heads() == {}
    ((action, why, facts),) = it.notes
    assert (action, why, facts["key"]) == ("quarantine dropped", "a test item", {"pk": "DEAL#1", "sk": "METADATA"})
    with pytest.raises(Misconfigured, match="nothing in quarantine has the id"):
        await it.settlements.quarantined(name)


async def test_a_retry_waits_for_a_move_and_a_key_that_has_left_stops_no_other(it: Settling) -> None:
    await it.in_state(move=Move("reverse", "announce", 0.0, 0.0, "ann"), rule="guarded")
    with pytest.raises(Refused):
        await it.settlements.retry(RetryRequest(ids=["nope"]))
    await it.in_state(phase="forward", rule="guarded", stream_arn="arn", generations={"arn": 1})
    bad = {"pk": {"S": "DEAL#1"}, "sk": {"S": "METADATA"}}
    await it.world.quarantine.add_copy("old", bad, Poison("no such entity", reason="unknown_entity"))
    (name,) = await it.world.quarantine.heads()
    answer = await it.settlements.retry(RetryRequest(ids=["left", name]))
    assert (answer["gone"], [row["id"] for row in answer["items"]]) == (["left"], [name])
