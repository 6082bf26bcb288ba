"""The documents that the HTTP side answers with, as the OpenAPI document describes them.

They are never made from these models: the values' own `to_json` makes them, as it does for the command line. A test holds every
answer of a running server to these schemas, and these to every answer.
"""

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from service.control.conflicts import Kept, Reason
from service.control.state import Hold, Move
from service.core.phases.acting import Phase, Rule, Side
from service.core.phases.facts import BackfillFacts
from service.core.phases.gate import Condition
from service.core.rules.agreement import DifferenceKind
from service.migration.status.identity import MigrationIdentity

Key = dict[str, str]
"""A key without types: attribute name to value, as text."""
WireItem = dict[str, Any]
"""Attributes in DynamoDB's own JSON."""


class Document(BaseModel):
    """A part of an answer. Times are ISO 8601 in UTC, durations are seconds."""

    model_config = ConfigDict(use_attribute_docstrings=True)


class LaneDocument(Document):
    """One direction, as its owner last reported it."""

    lag_seconds: float | None
    """An upper bound on the age of the oldest change that is not applied yet; null: no live worker owns the lane."""
    caught_up: bool
    shards: int
    outcomes: dict[str, int]
    """How many writes had which outcome since the workers began."""
    shards_waiting: int
    shards_finished: int
    catch_up_seconds: float | None
    stopped: bool


class WorkerDocument(Document):
    id: str
    forward: str
    """Its role: owner, reader, standby or stopped."""
    reverse: str
    seen_seconds_ago: float
    failure: str | None
    """Why a lane of it has stopped, with the remedy."""
    heard: bool


class LatestValidation(Document):
    """The latest finished validation that compared everything."""

    result: Literal["equal", "different"]
    differences: int
    finished_at: str
    age_seconds: float


class LatestVerification(Document):
    """The last verification of the keys that were touched since the first `dual`."""

    checked: int
    pending: int
    differences: int
    keys: list[Key]
    """The first old keys that differ."""
    finished_at: str


class GateDocument(Document):
    to: str
    """The phase that the move leads to."""
    open: bool
    conditions: list[Condition]


class SharedGateDocument(GateDocument):
    """Whether the phase may move, condition by condition."""

    as_of: str


class StatusDocument(Document):
    """One snapshot of the whole migration; what `tablesplit status --json` prints."""

    identity: MigrationIdentity | None
    started: bool
    phase: Phase
    phase_since: str
    mapping: str
    rule: Rule
    move: str | None
    hold: str | None
    backfill: BackfillFacts
    forward: LaneDocument
    reverse: LaneDocument
    quarantine: int
    conflicts: int
    validation: LatestValidation | None
    retention_headroom_seconds: float | None
    gap: str | None
    workers: list[WorkerDocument]
    gate: GateDocument | None
    """Of the move that leads on."""
    verification: LatestVerification | None
    rogue_writes: dict[Side, int]
    as_of: str


class ErrorDocument(Document):
    """Why something that was begun here has stopped."""

    kind: str
    message: str
    remedy: str
    request_id: str = ""
    """AWS's, where there is one."""


class PhaseDocument(Document):
    """The phase, the move under way, and why the last move that was begun here has stopped."""

    phase: Phase
    since: str
    rule: Rule
    application_writes: list[Side]
    forward: str
    reverse: str
    move: Move | None
    """Its times are epoch seconds."""
    hold: str | None
    next: Phase | None
    failed: ErrorDocument | None


class Difference(Document):
    kind: str
    entity: str
    old_key: Key | None
    v2_key: Key | None
    fields: list[str]
    first_seen: str


class ValidationReport(Document):
    """A finished validation; what `tablesplit validate --json` prints."""

    id: str
    result: Literal["equal", "different"]
    counts: dict[str, dict[str, int]]
    """By entity."""
    differences: list[Difference]
    """The first of them."""
    differences_total: int
    not_yet: int
    repaired: int
    index_checks: dict[str, dict[str, dict[str, int]]]
    """By entity and index."""
    inverse_failures: int
    left_out: int
    started_at: str
    finished_at: str
    resumed: bool
    mapping: str
    remedy: str


class UnfinishedValidation(Document):
    id: str
    state: Literal["unfinished"]
    question: str
    """A hash of what it compares."""
    started_at: str


class FailedValidation(Document):
    id: str
    state: Literal["failed"]
    error: ErrorDocument


class ExplainedAttribute(Document):
    name: str
    value: WireItem | None
    """In DynamoDB's own JSON; null: absent."""
    rule: str
    """One word for the rule that decided it."""
    why: str


class Refusal(Document):
    reason: str
    message: str
    remedy: str


class ExplainedEdit(Document):
    """What an edit of the v2 item would give back."""

    changes: WireItem
    old: list[ExplainedAttribute]
    gone: list[str]
    write_with_it: list[ExplainedAttribute]
    moves: bool
    refused: Refusal | None


class Explanation(Document):
    """One item of the old table there and back; what `tablesplit mapping explain --json` prints."""

    mapping: str
    old_key: Key
    old: WireItem
    entity: str
    left_out: bool
    quarantined: Refusal | None
    table: str | None
    key: Key | None
    v2: list[ExplainedAttribute]
    back: list[ExplainedAttribute]
    differs: list[str]
    edit: ExplainedEdit | None
    as_of: str


class Page(Document):
    next: str | None
    """The id after which the list goes on, for `after`; null on the last page."""
    as_of: str


class QuarantinedKey(Document):
    id: str
    table: str
    key: Key
    reason: str
    message: str
    first_seen: str
    attempts: int
    waiting: int
    origin: str
    fields: list[str]


class QuarantinePage(Page):
    count: int
    """Of the whole list."""
    items: list[QuarantinedKey]


class ConflictResolution(Document):
    kept: Kept
    by: str
    at: str


class LostChange(Document):
    """A change of the old side that lost against v2."""

    id: str
    kind: Literal["conflict"]
    table: str
    key: Key
    entity: str
    reason: Reason
    fields: list[str]
    at: str
    resolution: ConflictResolution | None
    remedy: str


class Place(Document):
    table: str
    key: Key


class TwoLiveKeys(Document):
    """An item that lives at two v2 keys."""

    id: str
    kind: Literal["two_live_keys"]
    table: str
    key: Key
    entity: str
    v2: list[Place]
    at: str
    remedy: str


class ConflictPage(Page):
    items: list[LostChange | TwoLiveKeys]


class DifferingKey(Document):
    id: str
    key: Key
    entity: str
    difference: DifferenceKind
    v2: list[Place]
    fields: list[str]
    first_seen: str
    last_seen: str
    remedy: str


class VerificationPage(Page):
    checked: int
    pending: int
    differences: int
    finished_at: str | None
    items: list[DifferingKey]


class AuditRecord(Document):
    number: int
    who: str
    action: str
    why: str
    facts: dict[str, Any]
    previous: str
    """The hash of the record before."""
    hash: str
    at: str


class AuditPage(Page):
    items: list[AuditRecord]


class BegunValidation(Document):
    id: str
    location: str
    """Where its report will be."""


class BegunMove(Document):
    to: str
    location: str


class HoldDocument(Document):
    hold: Hold
    """Its time is epoch seconds."""


class ReleasedDocument(Document):
    released: Hold | None
    """The hold that there was."""


class Lack(Document):
    cause: str
    text: str


class KeyLeftBehind(Document):
    table: str
    key: Key
    lacks: list[Lack]


class LeftBehindDocument(Document):
    count: int
    keys: list[KeyLeftBehind]
    unlisted: int
    verified: str | None


class Problem(Document):
    """An error, by RFC 9457."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "type": "about:blank",
                    "status": 409,
                    "title": "The gate is closed",
                    "detail": "the gate to dual is closed: quarantine is 2, wanted 0",
                    "conditions": [
                        {
                            "name": "quarantine",
                            "value": 2,
                            "threshold": 0,
                            "met": False,
                            "since": "2026-11-23T00:03:09Z",
                            "remedy": "tablesplit quarantine list",
                        }
                    ],
                }
            ]
        }
    )

    type: Literal["about:blank"]
    status: int
    title: str
    detail: str
    """What is wrong, with the remedy."""
    request_id: str = ""
    """AWS's, where it refused a request."""
    conditions: list[Condition] = []
    """Of a closed gate: those that are not met."""
    left_behind: LeftBehindDocument | None = None
    """Of a rollback: the keys that the old table will not have in full."""
