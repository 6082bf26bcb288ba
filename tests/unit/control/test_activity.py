"""Writes on the side that should be quiet: counted by entity since the phase began, and logged with their key."""

import structlog
from structlog.testing import capture_logs

from service.control.activity import AHEAD_SECONDS, QUIET_SIDE_WRITTEN, Activities, Activity, ActivityRecorder, Seen
from service.control.table import ControlTable
from service.core.item.change import Change
from service.core.item.wire import plain_key
from tests.fakes.clocks import VirtualClock
from tests.fakes.memory import MemoryDynamoDB

KEY = {"pk": {"S": "DEAL#1"}}


def change(table: str, sequence: str = "1") -> Change:
    return Change(table, "s", sequence, KEY, None, KEY)


def activities() -> Activities:
    db = MemoryDynamoDB()
    db.create_table("control", ("pk", "sk"))
    return Activities(ControlTable(db, "control"))


async def test_a_write_on_the_quiet_side_is_counted_and_logged() -> None:
    structlog.reset_defaults()  # a test before this one may have set a level
    clock, known = VirtualClock(), activities()
    recorder = ActivityRecorder(known, "old", clock, quiet=True)
    with capture_logs() as logs:
        for sequence in ("1", "2", "2"):  # the last one is decided anew
            await recorder.application_changed("DEAL", change("crm", sequence))
    await recorder.flush()
    assert (await known.load())["old"].intruders == {"DEAL": 2}
    warned = {"event": QUIET_SIDE_WRITTEN, "log_level": "warning", "side": "old", "entity": "DEAL", "table": "crm"}
    assert [entry for entry in logs if entry["log_level"] != "debug"] == [warned] * 2, "a key is at level debug only"
    assert [entry["key"] for entry in logs if entry["log_level"] == "debug"] == [plain_key(KEY)] * 2


async def test_where_the_application_belongs_its_writes_are_only_a_sign_of_life() -> None:
    clock, known = VirtualClock(), activities()
    recorder = ActivityRecorder(known, "v2", clock, quiet=False)
    with capture_logs() as logs:
        await recorder.application_changed("DEAL", change("deals"))
    await recorder.flush()
    assert logs == []
    found = (await known.load())["v2"]
    assert (found.intruders, found.last_change_at) == ({}, clock.now() + AHEAD_SECONDS)


async def test_the_parts_of_a_side_are_put_together() -> None:
    """A part that saw no rogue write in the present phase adds nothing to those of the phase."""
    known = activities()
    await known.part("v2").add(Seen(10.0, {"LEAD": 1}, 5.0))
    first, second = known.part("v2"), known.part("v2")
    await first.add(Seen(30.0, {"LEAD": 2}, 20.0))
    await second.add(Seen(40.0, {"LEAD": 3, "DEAL": 1}, 20.0))
    await first.add(
        Seen(35.0, {"DEAL": 1}, 20.0)
    )  # another has written its record meanwhile: it goes on with the next one
    together = (await known.load(20.0))["v2"]
    assert together == Activity(40.0, {"LEAD": 5, "DEAL": 2}, 40.0)
    assert together.rogue_writes_since(50.0) == {}
    assert (await known.load(50.0))["v2"].last_intruder_at == 40.0, (
        "earlier phases close the gate until they are validated"
    )
    assert (await known.load())["old"] == Activity()
