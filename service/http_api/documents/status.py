"""The snapshot of the whole migration, the last hour of both lanes, and the log."""

from typing import Literal

from service.core.phases.acting import Phase, Rule, Side
from service.http_api.documents.parts import Document, Key
from service.http_api.documents.phase import GateDocument
from service.migration.status.identity import MigrationIdentity


class BackfillDocument(Document):
    """How far the backfill is, over all its workers."""

    state: Literal["not started", "running", "stopped", "finished"]
    items: int
    """Old items that it has finished with: copied, already present, in quarantine, or left out."""
    segments_done: int
    segments: int
    items_per_second: float
    eta_seconds: float | None
    """Expected time until it is done; null: not known."""
    cost_usd: float
    """Of the run so far, by the price file."""
    left_out: int
    """Of the items, those that stay behind, as the mapping says."""
    estimate: int | None
    """Items in the old table by DynamoDB's own count at the begin, up to six hours old; null: not known."""
    started_at: str | None
    finished_at: str | None
    waiting_for: list[str]
    """What its workers wait for now, such as a limit of capacity."""


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
    backfill: BackfillDocument
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


class LanePoint(Document):
    """One direction at one moment; the rates are those since the point before, null: not known."""

    lag_seconds: float | None
    application_per_second: float | None
    """Changes of the application on the side that the lane reads."""
    carried_per_second: float | None
    """Of these, the ones that were written on the other side."""


class HistoryPoint(Document):
    at: str
    forward: LanePoint
    reverse: LanePoint


class HistoryDocument(Document):
    """Lag and rates of both lanes in the last hour, as far as this process has seen it."""

    points: list[HistoryPoint]
    """Oldest first."""
    as_of: str


class LogDocument(Document):
    """The newest events of this process's log."""

    events: list[dict[str, str]]
    """Oldest first: the names and the values, as text, of each line."""
    as_of: str
