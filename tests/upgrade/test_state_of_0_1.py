"""State that the previous version wrote is read, and gone on with, by this one.

The files hold what version 0.1.0 (before the backfill could be an array job) left on DynamoDB Local: ``stopped_backfill`` when its
backfill was killed on the way, ``in_dual`` in phase `dual` with conflicts. A change of a record that these tests refuse needs a
default for what an earlier version did not write, or a migration of the record.
"""

import json
from pathlib import Path
from typing import Any

import pytest

from backfill.records import BackfillBeat, read_run_status
from backfill.segments import BackfillRun, Segment
from service.control.activity import Activity
from service.control.audit import Audit, End, Record
from service.control.checkpoints import Checkpoint
from service.control.conflicts import ConflictHead as ConflictHead
from service.control.leases import LeaseRecord
from service.control.quarantine import QuarantineHead as QuarantineHead
from service.control.state import MigrationState, load_started_state
from service.control.table import ControlTable, PackedPart
from service.control.verification import Verification
from service.control.workers import Beat
from service.core.item.wire import Item
from service.core.item.write import Put
from service.core.mapping.mapping import Mapping, load_mapping
from service.core.phases.gate import Since
from service.core.rules.ledger import Entry
from service.validation.records import Document
from tests.acceptance.command_line import VARIABLES
from tests.builders.mappings import CRM_TEXT
from tests.fakes.clocks import VirtualClock
from tests.fakes.memory import MemoryDynamoDB
from tests.worlds.server_world import opened

HERE = Path(__file__).parent
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
    "ledger": Entry,
    "quarantine": QuarantineHead,
    "state": MigrationState,
    "validation": Document,
    "verification": Verification,
    "worker": Beat,
}
"""What the records of a partition are. A partition of one key's own is looked up by what stands before its first `#`."""


def stored(state: str) -> dict[str, list[Item]]:
    """The items of each table, as that version left them."""
    tables: dict[str, list[Item]] = json.loads((HERE / f"{state}.json").read_text(encoding="utf-8"))
    return tables


def crm() -> Mapping:
    """The packaged mapping with the table names that were used."""
    return load_mapping(CRM_TEXT, source="crm.yaml", names=lambda variable, _: VARIABLES[variable])


def world(state: str) -> MemoryDynamoDB:
    """Tables in memory that hold what that version left."""
    db = MemoryDynamoDB()
    for name in ("old", "control"):
        db.create_table(name, ("pk", "sk"))
    for name, shape in crm().tables.items():
        db.create_table(name, shape.key_names, indexes={index: key.names for index, key in shape.indexes.items()})
    for table, items in stored(state).items():
        for item in items:
            db.apply(Put(table, item))
    return db


def partitions() -> list[Any]:
    names = {(state, row["pk"]["S"]) for state in STATES for row in stored(state)["control"]}
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
