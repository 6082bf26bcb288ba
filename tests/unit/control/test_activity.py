"""Writes on the side that should be quiet: counted by entity since the phase began, and logged with their key."""

from structlog.testing import capture_logs

from service.control.activity import QUIET_SIDE_WRITTEN, Activities, ActivityRecorder
from service.control.table import ControlTable
from service.core.item.wire import plain_key
from tests.fakes.clocks import VirtualClock
from tests.fakes.memory import MemoryDynamoDB

KEY = {"pk": {"S": "DEAL#1"}}


def activities() -> Activities:
    db = MemoryDynamoDB()
    db.create_table("control", ("pk", "sk"))
    return Activities(ControlTable(db, "control"))


async def test_a_write_on_the_quiet_side_is_counted_and_logged() -> None:
    clock, known = VirtualClock(), activities()
    recorder = ActivityRecorder(known, "old", clock, quiet=True)
    with capture_logs() as logs:
        await recorder.application_changed("DEAL", "crm", KEY)
        await recorder.application_changed("DEAL", "crm", KEY)
    assert (await known.load())["old"].intruders == {"DEAL": 2}
    warned = {"event": QUIET_SIDE_WRITTEN, "log_level": "warning", "side": "old", "entity": "DEAL", "table": "crm"}
    assert [entry for entry in logs if entry["log_level"] != "debug"] == [warned] * 2, "a key is at level debug only"
    assert [entry["key"] for entry in logs if entry["log_level"] == "debug"] == [plain_key(KEY)] * 2


async def test_where_the_application_belongs_its_writes_are_only_a_sign_of_life() -> None:
    clock, known = VirtualClock(), activities()
    recorder = ActivityRecorder(known, "v2", clock, quiet=False)
    with capture_logs() as logs:
        await recorder.application_changed("DEAL", "deals", KEY)
    await recorder.flush()
    assert logs == []
    found = (await known.load())["v2"]
    assert (found.intruders, found.last_change_at) == ({}, clock.now())
