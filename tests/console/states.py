"""What the console receives in each state of a migration: documents as ``HttpView`` makes them, from real Status values."""

from dataclasses import asdict, replace
from typing import Any

from service.clock import iso
from service.control.state import Move
from service.core.phases.acting import Acting, Phase
from service.core.phases.facts import BackfillFacts, Facts, FullValidation, LaneFacts, VerificationFacts, WorkerFacts
from service.core.phases.gate import Condition, Gate
from service.core.phases.moves import Step, phase_row
from service.http_api.phase_view import shown_steps
from service.migration.status.identity import MigrationIdentity
from service.migration.status.status import Status

Document = dict[str, Any]
SINCE = "2026-01-05T09:00:00Z"
SINCE_SECONDS = 1_767_603_600.0
LOST = "the stream of old table crm is arn:new; saved positions are of arn:old: changes may be lost"
WORKER = WorkerFacts("app-1-7-abc123", 0.4, True, None, "owner", "owner")

IDENTITY = MigrationIdentity("crm", "crm-control", "eu-central-1", "1.4.0", account="123456789012")

FINISHED = BackfillFacts("finished", 8928, 8, 8)
CAUGHT_UP = LaneFacts("app", True, 0.2, shards=4, outcomes={"applied": 512})

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
    Facts(
        now=SINCE_SECONDS,
        phase="forward",
        phase_since=SINCE_SECONDS,
        mapping="08c2fe54be76392e",
        backfill=FINISHED,
        forward=CAUGHT_UP,
        reverse=LaneFacts("app", True, 0.0, shards=4),
        validation=FullValidation(True, 0, 0, SINCE_SECONDS, SINCE_SECONDS, SINCE),
        workers=(WORKER,),
    ),
    gate=gate(),
    retention_headroom_seconds=86_000.0,
    identity=IDENTITY,
)


NOTHING_VERIFIED: Document = {
    "checked": 0,
    "pending": 0,
    "differences": 0,
    "finished_at": None,
    "items": [],
    "next": None,
}


def ready(*, gate: Gate | None = READY.gate, **facts: Any) -> Status:
    """READY with another gate, or with some facts replaced."""
    return replace(READY, facts=replace(READY.facts, **facts), gate=gate)


RATES: Document = {
    "forward": {"application_per_second": 12.4, "carried_per_second": 12.1},
    "reverse": {"application_per_second": 0.0, "carried_per_second": 0.0},
}


def phase(facts: Facts, **more: Any) -> Document:
    """What /v1/phase gives, without a move."""
    row = phase_row(Acting(facts.phase, facts.rule, 0))
    directions = {"application_writes": list(row.writes), "forward": row.forward, "reverse": row.reverse}
    return {"phase": facts.phase, **directions, "move": None, "waits_for": None, "steps": [], "failed": None, **more}


def moving(facts: Facts, to: Phase, step: Step, *, for_seconds: float) -> Document:
    """What /v1/phase gives while a move is at ``step``."""
    move = Move(to, step, facts.now - for_seconds, facts.now - for_seconds - 3, "ops")
    return phase(facts, move=asdict(move), steps=shown_steps(move, 60.0))


def document(status: Status, **more: Any) -> Document:
    """What /v1/events sends for this status."""
    shown: Document = {
        "status": {**status.to_json(), "as_of": iso(status.facts.now)},
        "unready": None,
        "phase": phase(status.facts),
        "rates": RATES,
        "v2_tables": ["leads", "deals", "resources", "pipelines"],
        "validation": VALIDATION,
        "validating": False,
        "quarantine": [],
        "conflicts": [],
        "verification": NOTHING_VERIFIED,
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


def verified(*keys: str) -> Document:
    """What the last verification found: each of these keys differs in its status."""
    rows = [
        {
            "id": "ab12", "key": {"pk": key, "sk": "METADATA"}, "entity": "LEAD", "difference": "fields",
            "v2": [{"table": "leads", "key": {"id": key}}], "fields": ["status"], "first_seen": SINCE, "last_seen": SINCE,
            "remedy": "tablesplit validate --repair",
        }
        for key in keys
    ]  # fmt: skip
    counts = {"checked": 1200, "pending": 3, "differences": len(keys), "finished_at": SINCE}
    return {**counts, "items": rows, "next": None}


EMPTY = BackfillFacts()
RUNNING = BackfillFacts("running", 3100, 2, 8, 412.0, 14.0, estimate=8928, started_at=SINCE_SECONDS - 8)
BEHIND = LaneFacts("app", False, 95.0, shards=4, outcomes={"applied": 10})
SILENT = LaneFacts()
CLOSED = gate(opened=False)
STOPPED = replace(WORKER, forward="stopped", failure=LOST)

STATES: dict[str, tuple[Document, str]] = {
    "preparing": (
        document(
            ready(
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
    "copying": (document(ready(backfill=RUNNING, gate=CLOSED)), "Copying"),
    "catching-up": (document(ready(forward=BEHIND, gate=CLOSED)), "Catching up"),
    "not-ready": (document(ready(gate=CLOSED, hold="audit week, by ops")), "Not ready to cut over"),
    "ready": (document(READY), "Ready to cut over"),
    "moving": (
        document(
            ready(moving="to dual: horizon since 09:04:00 (by ops)"),
            phase=moving(READY.facts, "dual", "horizon", for_seconds=23),
        ),
        "A move is under way",
    ),
    "dual": (
        document(ready(phase="dual", rule="ledger", gate=gate("reverse", opened=False))),
        "Both sides are live",
    ),
    "reverse": (document(ready(phase="reverse", rule="ledger", gate=gate("complete", opened=False))), "On v2"),
    "complete": (document(ready(phase="complete", rule="ledger", gate=None, workers=())), "Complete"),
    "quarantine": (
        document(ready(quarantine=1, gate=CLOSED), quarantine=[quarantined()]),
        "Items in quarantine",
    ),
    "conflicts": (document(ready(phase="dual", conflicts=1), conflicts=[conflicting()]), "Conflicts are open"),
    "different": (
        document(
            ready(phase="dual", gate=CLOSED, verification=VerificationFacts(1200, 3, 1, SINCE_SECONDS)),
            verification=verified("LEAD#5"),
        ),
        "Both sides differ",
    ),
    "error": (document(ready(workers=(STOPPED,), gate=CLOSED), unready=LOST), "Sync has stopped"),
    "gap": (
        document(ready(gaps=("records of the old table's stream were lost",), gate=CLOSED)),
        "Changes may be lost",
    ),
    "move-stopped": (
        document(
            READY,
            phase=phase(
                READY.facts,
                failed={"kind": "refused", "message": "the hook vetoes the move: freeze", "remedy": "ask"},
            ),
        ),
        "The move has stopped",
    ),
}
"""Each state's document, and the headline that the page must show."""
