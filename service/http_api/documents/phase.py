"""The phase, its gate, the move under way, and the audit log."""

from typing import Any, Literal

from service.control.state import Hold, Move
from service.core.phases.acting import Phase, Rule, Side
from service.core.phases.gate import Condition
from service.core.phases.moves import Step
from service.http_api.documents.parts import Document, ErrorDocument, Page


class GateDocument(Document):
    to: str
    """The phase that the move leads to."""
    open: bool
    conditions: list[Condition]


class SharedGateDocument(GateDocument):
    """Whether the phase may move, condition by condition."""

    as_of: str


class StepDocument(Document):
    """One step of the move under way."""

    name: Step
    text: str
    """What it waits for, or does."""
    expected: str
    """How long it mostly takes."""
    state: Literal["done", "now", "next"]


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
    waits_for: str | None
    """What the move that this process makes waits for now; null: nothing that is known."""
    steps: list[StepDocument]
    """Of the move under way, in order; empty: none is."""
    hold: str | None
    next: Phase | None
    failed: ErrorDocument | None


class BegunMove(Document):
    to: str
    location: str


class HoldDocument(Document):
    hold: Hold
    """Its time is epoch seconds."""


class ReleasedDocument(Document):
    released: Hold | None
    """The hold that there was."""


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
