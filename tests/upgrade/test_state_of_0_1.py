"""State that the previous version wrote is read, and gone on with, by this one.

The files hold what version 0.1.0 (before the backfill could be an array job) left on DynamoDB Local: ``stopped_backfill`` when its
backfill was killed on the way, ``in_dual`` in phase `dual` with conflicts. A change of a record that these tests refuse needs a
default for what an earlier version did not write, or a migration of the record.
"""

from typing import Any

import pytest

from backfill.records import BackfillBeat, read_run_status
from backfill.segments import BackfillRun, Segment
from service.control.activity import Activity
from service.control.audit import Audit, End, Record
from service.control.checkpoints import Checkpoint
from service.control.conflicts import ConflictHead as ConflictHead
from service.control.leases import LeaseRecord
from service.control.ledger import Ledger
from service.control.quarantine import QuarantineHead as QuarantineHead
from service.control.state import MigrationState, load_started_state
from service.control.table import ControlTable, PackedPart
from service.control.verification import Verification
from service.control.workers import Beat
from service.core.item.write import Put
from service.core.phases.gate import Since
from service.validation.records import Document
from tests.fakes.clocks import VirtualClock
from tests.upgrade.left_state import crm, stored, world
from tests.worlds.server_world import opened

STATES = ("stopped_backfill", "in_dual")
KINDS: dict[str, Any] = {
    "activity": Activity,
    "audit": Record,
    "audit end": End,
    "backfill": BackfillRun,
    "backfill#progress": BackfillBeat,
    "backfill#segments": Segment,
    "checkpoint": Checkpoint,
    "conflict": ConflictHead,
    "conflict#": PackedPart,
    "gate": dict[str, Since],
    "lease": LeaseRecord,
    "quarantine": QuarantineHead,
    "state": MigrationState,
    "validation": Document,
    "verification": Verification,
    "worker": Beat,
}
"""What the records of a partition are. A partition of one key's own is looked up by what stands before its first `#`."""


def partitions() -> list[Any]:
    """Every partition but those of the ledger, whose entries have a form of their own."""
    names = {(state, row["pk"]["S"]) for state in STATES for row in stored(state)["control"]}
    names = {(state, name) for state, name in names if not name.startswith("ledger#")}
    return [pytest.param(state, name, id=f"{state}: {name.split('arn')[0]}") for state, name in sorted(names)]


@pytest.mark.parametrize(("state", "partition"), partitions())
async def test_every_record_is_read(state: str, partition: str) -> None:
    control = ControlTable(world(state), "control")
    found = await control.records(partition, kind_of(partition)).all()
    assert len(found) == sum(row["pk"]["S"] == partition for row in stored(state)["control"])


def kind_of(partition: str) -> Any:
    before = partition.split("#")[0]
    own = f"{before}#" if partition.startswith("conflict#") else before
    return KINDS.get(partition) or KINDS[own]


@pytest.mark.local
async def test_a_backfill_that_was_killed_is_gone_on_with_where_it_stopped(
    dynamodb_local: str, table_prefix: str
) -> None:
    """On the server that it ran on: a segment's last key means nothing where items are hashed otherwise."""
    left = stored("stopped_backfill")
    async with opened(dynamodb_local, table_prefix) as server:
        await server.fill(left["old"])
        v2 = server.mapping.entities["DEAL"].table
        for item in left["deals"]:
            assert await server.plane.write(Put(v2, item))
        for row in left["control"]:
            if row["pk"]["S"].startswith("backfill"):
                await server.plane.write(Put(server.control.table, row))
        before = await read_run_status(server.control, 0.0)
        assert before is not None
        assert (before.outcomes.copied, before.run.slices) == (64, 1)
        report = await server.backfill(owner="next")
        assert (report.resumed, report.run.id, report.run.segments) == (True, before.run.id, 4)
        assert (report.outcomes.copied, report.outcomes.quarantined) == (150, 1)
        assert len(await server.all_items(v2)) == 150


async def test_the_phase_and_the_audit_log_are_those_that_were_written() -> None:
    control = ControlTable(world("in_dual"), "control")
    state = await load_started_state(control, crm())
    assert (state.phase, state.rule, state.epoch) == ("dual", "ledger", 1)
    assert (await Audit(control, VirtualClock(), "next").verify()).ok


async def test_every_entry_of_the_ledger_is_read() -> None:
    ledger = Ledger(ControlTable(world("in_dual"), "control"), VirtualClock(), "old", 1)
    found = [read.entry async for read in ledger.all()]
    assert len(found) == sum(row["pk"]["S"].startswith("ledger#") for row in stored("in_dual")["control"]) > 0
    assert all(entry.forward.done and entry.places and entry.reverse.tracks for entry in found)
