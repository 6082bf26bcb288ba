"""A status in which every number is different, so that a test shows which of them is read."""

from dataclasses import replace
from typing import Any

from service.core.phases.facts import (
    BackfillFacts,
    Facts,
    FullValidation,
    LaneFacts,
    SideFacts,
    VerificationFacts,
    WorkerFacts,
)
from service.core.phases.gate import Condition, Gate
from service.migration.status.status import Status

SECOND_OF_JANUARY = 1_767_323_045.0
"""2026-01-02T03:04:05Z."""

CLOSED = Gate("dual", (Condition("lag", 1, 2, True, None, ""), Condition("quiet", 1, 2, False, None, "wait")))
KNOWN = Status(
    Facts(
        now=SECOND_OF_JANUARY + 120,
        phase="forward",
        phase_since=SECOND_OF_JANUARY,
        mapping="abc",
        moving="to dual: fence",
        hold="we wait",
        backfill=BackfillFacts("running", 7, 2, 5, 3.5, 60.0, 12.5),
        forward=LaneFacts("a", True, 3.0, shards=4, shards_waiting=1, shards_finished=6, catch_up_seconds=9.0),
        reverse=LaneFacts("c", False, 2.0, shards=2, stopped=True),
        quarantine=5,
        conflicts=1,
        validation=FullValidation(
            equal=False,
            differences=6,
            inverse_failures=0,
            started_at=SECOND_OF_JANUARY - 60,
            finished_at=SECOND_OF_JANUARY,
            finished_text="2026-01-02T03:04:05Z",
        ),
        gaps=("records were lost",),
        workers=(
            WorkerFacts("a", 0.1, True, None, "owner", "stopped"),
            WorkerFacts("b", 0.1, True, None, "standby", "standby"),
            WorkerFacts("c", 600.0, False, None, "owner", "owner"),
        ),
        verification=VerificationFacts(10, 2, 3, SECOND_OF_JANUARY),
        sides={"v2": SideFacts(rogue_writes=8)},
    ),
    gate=CLOSED,
    retention_headroom_seconds=86_000.0,
)


def known(**facts: Any) -> Status:
    """KNOWN with some facts replaced."""
    return replace(KNOWN, facts=replace(KNOWN.facts, **facts))
