"""`complete` says once more how many items stay behind by ``leave_out``: in its text, its document and the audit log."""

import asyncio
import re
from dataclasses import replace
from typing import Any

from backfill.records import BackfillRecords
from backfill.segments import BackfillRun, Outcomes, Segment
from service.clock import iso
from service.migration.phase.move import preview_move
from service.migration.status.left_out import LeftOut, read_left_out
from service.validation.records import FULL, runs
from tests.builders.small_crm import MAPPING
from tests.worlds.move_world import MoveWorld

LEAVING = replace(MAPPING, leave_out=({"pk": re.compile("LOCK#.*")},))
LEDGER: dict[str, Any] = {"rule": "ledger", "epoch": 1}


class LeavingWorld(MoveWorld):
    """A migration whose mapping leaves items out, with what its runs have counted."""

    def __post_init__(self) -> None:
        super().__post_init__()
        setattr(self.app, "mapping", LEAVING)  # noqa: B010 - a stand-in

    async def validated(self, finished_at: float, **counted: int) -> None:
        at = iso(finished_at)
        run = {"id": "v1", "result": "equal", "differences_total": 0, "inverse_failures": 0, "set_aside": 0}
        await runs(self.control).save(FULL, {**run, "started_at": at, "finished_at": at, **counted}, 0)

    async def copied(self, left_out: int, finished_at: float | None) -> None:
        records = BackfillRecords(self.control)
        await records.save_run(BackfillRun("b1", LEAVING.hash, 1, 1, 0.0, finished_at=finished_at))
        await records.save_segment(0, Segment("b1", done=True, outcomes=Outcomes(copied=5, left_out=left_out)))


async def test_complete_says_how_many_by_the_latest_validation_and_how_old_that_is() -> None:
    world = LeavingWorld()
    now = world.clock.now()
    await world.copied(12, now - 7200)
    await world.validated(now - 5400, left_out=1013)
    async with world.running(phase="reverse", **LEDGER):
        shown = await world.done(asyncio.ensure_future(preview_move(world.app, "complete")))
        moved = await world.move("complete")
    assert shown.left_out is not None
    assert shown.to_json()["left_out"] == shown.left_out.to_json()
    assert (
        moved.to_text()
        .splitlines()[-1]
        .startswith(
            "1,013 items stay behind in the old table, as leave_out of the mapping says; "
            "the validation counted them that finished 1.5 h ago ("
        )
    )
    for document in (moved.to_json(), *(facts for _, _, facts in world.log.entries)):
        assert document["left_out"]["items"] == 1013
        assert document["left_out"]["counted_by"] == "validation"
        assert document["left_out"]["seconds_ago"] >= 5400 - 1
    assert world.log.actions == ["move begun", "phase entered"]


async def test_where_no_validation_has_counted_them_the_backfill_has() -> None:
    world = LeavingWorld()
    now = world.clock.now()
    assert await read_left_out(world.app) == LeftOut(None)
    await world.copied(12, None)
    assert await read_left_out(world.app) == LeftOut(None)
    await world.copied(12, now - 60)
    await world.validated(now)  # by an earlier version, which did not note it
    counted = await read_left_out(world.app)
    assert counted == LeftOut(12, "backfill", iso(now - 60), 60.0)
    assert LeftOut(None).to_text().endswith("no run has counted them")


async def test_of_a_mapping_that_leaves_nothing_out_nothing_is_said() -> None:
    world = MoveWorld()
    async with world.running(phase="reverse", **LEDGER):
        moved = await world.move("complete")
    assert "left_out" not in moved.to_json()
    assert "stay behind" not in moved.to_text()
    assert all("left_out" not in facts for _, _, facts in world.log.entries)


async def test_no_other_move_says_it() -> None:
    world = LeavingWorld()
    await world.validated(world.clock.now(), left_out=3)
    async with world.running(phase="dual", **LEDGER):
        moved = await world.move("cutover --finish")
    assert "left_out" not in moved.to_json()
