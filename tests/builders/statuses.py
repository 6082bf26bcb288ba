"""A snapshot in which every number is another, so that a test tells which of them it sees."""

from service.core.phases.gate import Condition, Gate
from service.migration.status.status import (
    BackfillStatus,
    LaneStatus,
    Status,
    ValidationStatus,
    VerificationStatus,
    WorkerStatus,
)

CLOSED = Gate("dual", (Condition("lag", 1, 2, True, None, ""), Condition("quiet", 1, 2, False, None, "wait")))
KNOWN = Status(
    phase="forward",
    phase_since="2026-01-02T03:04:05Z",
    mapping="abc",
    rule="guarded",
    move="to dual: fence",
    hold="we wait",
    backfill=BackfillStatus("running", 7, 2, 5, 3.5, 60.0, 12.5),
    forward=LaneStatus(3.0, True, 4, {}, shards_waiting=1, shards_finished=6, catch_up_seconds=9.0),
    reverse=LaneStatus(2.0, False, 2, {}, stopped=True),
    quarantine=5,
    conflicts=1,
    validation=ValidationStatus("different", 6, "2026-01-02T03:04:05Z", 120.0),
    retention_headroom_seconds=86_000.0,
    gap="records were lost",
    workers=(
        WorkerStatus("a", "owner", "stopped", 0.1, None),
        WorkerStatus("b", "standby", "standby", 0.1, None),
        WorkerStatus("c", "owner", "owner", 600.0, None, heard=False),
    ),
    gate=CLOSED,
    verification=VerificationStatus(10, 2, 3, "2026-01-02T03:04:05Z"),
    rogue_writes={"v2": 8},
)
