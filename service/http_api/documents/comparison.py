"""What compares the two sides: validation, verification, and one item explained."""

from typing import Literal

from service.core.rules.agreement import DifferenceKind
from service.http_api.documents.parts import Document, ErrorDocument, Key, Page, Place, Refusal, WireItem


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


class BegunValidation(Document):
    id: str
    location: str
    """Where its report will be."""


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


class ExplainedAttribute(Document):
    name: str
    value: WireItem | None
    """In DynamoDB's own JSON; null: absent."""
    rule: str
    """One word for the rule that decided it."""
    why: str


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
