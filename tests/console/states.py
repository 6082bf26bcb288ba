"""What the console receives in each state of a migration: documents as ``HttpView`` makes them, from real Status values."""

from dataclasses import replace
from typing import Any

from service.core.phases.gate import Condition, Gate
from service.migration.status.status import BackfillStatus, LaneStatus, Status, ValidationStatus, WorkerStatus

Document = dict[str, Any]
SINCE = "2026-01-05T09:00:00Z"
LOST = "the stream of old table crm is arn:new; saved positions are of arn:old: changes may be lost"
WORKER = WorkerStatus("app-1-7-abc123", "owner", "owner", 0.4, None)

FINISHED = BackfillStatus("finished", 8928, 8, 8, 0.0, None)
CAUGHT_UP = LaneStatus(0.2, True, 4, {"applied": 512})

VALIDATION: Document = {
    "id": "20260105T090000Z-abcdef",
    "result": "equal",
    "counts": {
        "LEAD": {"old": 120, "v2": 120, "equal": 120, "different": 0, "missing": 0},
        "DEAL": {"old": 8800, "v2": 8800, "equal": 8800, "different": 0, "missing": 0},
    },
    "differences": [],
    "differences_total": 0,
    "finished_at": SINCE,
}
AUDIT = [
    {"number": 1, "at": SINCE, "who": "arn:aws:iam::1:user/ops", "action": "hold", "why": "audit week", "facts": {}},
    {"number": 2, "at": SINCE, "who": "arn:aws:iam::1:user/ops", "action": "release", "why": "", "facts": {}},
]


def gate(to: str = "dual", *, opened: bool = True) -> Gate:
    return Gate(
        to,
        (
            Condition("backfill", "finished", "finished", True, SINCE, ""),
            Condition("lag", 0.2, "below 10 s for 60 s", True, SINCE, ""),
            Condition("validation", "equal" if opened else "never run", "equal", opened, SINCE, "tablesplit validate"),
            Condition("quarantine", 0, 0, True, SINCE, ""),
        ),
    )


READY = Status(
    phase="forward",
    phase_since=SINCE,
    mapping="08c2fe54be76392e",
    rule="guarded",
    move=None,
    hold=None,
    backfill=FINISHED,
    forward=CAUGHT_UP,
    reverse=LaneStatus(0.0, True, 4, {}),
    quarantine=0,
    conflicts=0,
    validation=ValidationStatus("equal", 0, SINCE),
    retention_headroom_seconds=86_000.0,
    gap=None,
    workers=(WORKER,),
    gate=gate(),
)


def document(status: Status, **more: Any) -> Document:
    """What /v1/events sends for this status."""
    shown: Document = {
        "status": status.to_json(),
        "unready": None,
        "phase": {"phase": status.phase, "failed": None},
        "validation": VALIDATION,
        "validating": False,
        "quarantine": [],
        "conflicts": [],
        "audit": AUDIT,
    }
    return {**shown, **more}


def quarantined(key: str = "DEAL#17", message: str = "value: 'n/a' is not a number") -> Document:
    return {
        "id": "ab12", "table": "crm", "key": {"pk": key, "sk": "METADATA"}, "reason": "not_a_number", "message": message,
        "first_seen": SINCE, "attempts": 3, "waiting": 1, "origin": "stream",
    }  # fmt: skip


def conflicting(key: str = "LEAD#5") -> Document:
    return {
        "id": "cd34-0001.7", "kind": "conflict", "table": "crm", "key": {"pk": key, "sk": "METADATA"}, "entity": "LEAD",
        "reason": "overlap", "fields": ["status"], "at": SINCE, "resolution": None,
        "remedy": "see `tablesplit conflicts show cd34-0001.7`, then resolve it",
    }  # fmt: skip


EMPTY = BackfillStatus("not started", 0, 0, 0, 0.0, None)
RUNNING = BackfillStatus("running", 3100, 2, 8, 412.0, 14.0)
BEHIND = LaneStatus(95.0, False, 4, {"applied": 10})
SILENT = LaneStatus(None, False, 0, {})
CLOSED = gate(opened=False)
STOPPED = replace(WORKER, forward="stopped", failure=LOST)

STATES: dict[str, tuple[Document, str]] = {
    "preparing": (
        document(
            replace(
                READY,
                phase="prepare",
                backfill=EMPTY,
                forward=SILENT,
                reverse=SILENT,
                workers=(),
                gate=None,
                validation=None,
            ),
            validation=None,
            audit=[],
        ),
        "Preparing",
    ),
    "copying": (document(replace(READY, backfill=RUNNING, gate=CLOSED)), "Copying"),
    "catching-up": (document(replace(READY, forward=BEHIND, gate=CLOSED)), "Catching up"),
    "not-ready": (document(replace(READY, gate=CLOSED, hold="audit week, by ops")), "Not ready to cut over"),
    "ready": (document(READY), "Ready to cut over"),
    "moving": (document(replace(READY, move="to dual, step horizon: waits until 09:05:00")), "A move is under way"),
    "dual": (
        document(replace(READY, phase="dual", rule="ledger", gate=gate("reverse", opened=False))),
        "Both sides are live",
    ),
    "reverse": (document(replace(READY, phase="reverse", rule="ledger", gate=gate("complete", opened=False))), "On v2"),
    "complete": (document(replace(READY, phase="complete", rule="ledger", gate=None, workers=())), "Complete"),
    "quarantine": (
        document(replace(READY, quarantine=1, gate=CLOSED), quarantine=[quarantined()]),
        "Items in quarantine",
    ),
    "conflicts": (document(replace(READY, phase="dual", conflicts=1), conflicts=[conflicting()]), "Conflicts are open"),
    "error": (document(replace(READY, workers=(STOPPED,), gate=CLOSED), unready=LOST), "Sync has stopped"),
    "gap": (
        document(replace(READY, gap="records of the old table's stream were lost", gate=CLOSED)),
        "Changes may be lost",
    ),
    "move-stopped": (
        document(
            READY,
            phase={
                "phase": "forward",
                "failed": {"kind": "refused", "message": "the hook vetoes the move: freeze", "remedy": "ask"},
            },
        ),
        "The move has stopped",
    ),
}
"""Each state's document, and the headline that the page must show."""
