"""What is known of a migration at one moment: the gate is judged by it, and status, page and metrics show it.

Times are epoch seconds, durations are seconds. ``service.migration.status.facts`` reads it from the control table.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from service.core.item.wire import Item
from service.core.phases.acting import Phase, Rule, Side


@dataclass(frozen=True, slots=True)
class BackfillFacts:
    """How far the backfill is, over all its workers."""

    state: str = "not started"
    """not started | running | stopped | finished."""
    items: int = 0
    """Old items that it has finished with: copied, already present, in quarantine, or left out."""
    segments_done: int = 0
    segments: int = 0
    items_per_second: float = 0.0
    eta_seconds: float | None = None
    """Expected time until it is done; None: not known."""
    cost_usd: float = 0.0
    """Of the run so far, by the price file."""
    left_out: int = 0
    """Of the items, those that stay behind, as the mapping says."""
    estimate: int | None = None
    """Items in the old table by DynamoDB's own count at the begin, up to six hours old; None: not known."""
    started_at: float | None = None
    finished_at: float | None = None
    waiting_for: tuple[str, ...] = ()
    """What its workers wait for now, such as a limit of capacity."""


@dataclass(frozen=True, slots=True)
class LaneFacts:
    """One direction, as its owner last reported it: the old table's stream forward, the v2 tables' streams in reverse."""

    owner: str | None = None
    """The live worker that owns the lane; None: there is none, and what follows is not known."""
    caught_up: bool = False
    """Every shard has been read to its end and applied since the question was asked."""
    lag_seconds: float | None = None
    """An upper bound on the age of the oldest change that is not applied yet."""
    lag_low_since: float | None = None
    """Since when the lag has been below the gate's limit; None: it is not below it."""
    headroom_seconds: float | None = None
    """Time until unread stream records may be trimmed."""
    tombstones_overdue: int = 0
    """Tombstones that should have been purged by now."""
    shards: int = 0
    """Shards that are not read to their end, the waiting ones included."""
    shards_waiting: int = 0
    """Of these, the ones that wait for their parents."""
    shards_finished: int = 0
    """Further shards, which are read to their end."""
    catch_up_seconds: float | None = None
    """Expected time until the lane has caught up; None: not known."""
    outcomes: Mapping[str, int] = field(default_factory=dict)
    """How many writes had which outcome since the workers began, over all workers that read."""
    stopped: bool = False
    """A worker's lane has stopped, and no other worker has taken over."""


@dataclass(frozen=True, slots=True)
class WorkerFacts:
    """One sync worker."""

    name: str
    last_report_seconds: float
    """Age of its last report."""
    live: bool
    """Its last report is recent enough: it counts as running."""
    failure: str | None
    """Why a lane of it has stopped, with the remedy; None: none has."""
    forward: str = "standby"
    """Its role in the forward lane: owner | reader | standby | stopped."""
    reverse: str = "standby"
    """Its role in the reverse lane."""


@dataclass(frozen=True, slots=True)
class FullValidation:
    """The latest finished validation that compared everything."""

    equal: bool
    differences: int
    inverse_failures: int
    """Items that the inverse mapping could not turn back into the old item."""
    started_at: float
    finished_at: float
    finished_text: str = ""
    """``finished_at`` as the report has it, ISO 8601."""
    set_aside: int = 0
    """How many of the differences no repair writes: the old item cannot be mapped, or its key is in quarantine or held."""

    @property
    def result(self) -> str:
        """As the report has it."""
        return "equal" if self.equal else "different"

    def age(self, now: float) -> float:
        """Seconds since it finished; 0 where the clocks disagree."""
        return max(0.0, now - self.finished_at)


@dataclass(frozen=True, slots=True)
class VerificationFacts:
    """The last verification of the keys that were touched under the ledger rule."""

    checked: int
    """Keys that are equal on both sides."""
    pending: int
    """Keys that were not quiet yet."""
    differences: int
    """Keys that differ."""
    finished_at: float
    keys: tuple[Item, ...] = ()
    """The first old keys that differ."""


@dataclass(frozen=True, slots=True)
class SideFacts:
    """The application's writes on one side."""

    last_change_at: float | None = None
    rogue_writes_by_entity: Mapping[str, int] = field(default_factory=dict)
    """Its writes while the side should have been quiet, since the phase of the last of them began."""
    last_rogue_write_at: float | None = None
    rogue_writes: int = 0
    """How many rogue writes the present phase has had."""


@dataclass(frozen=True, slots=True)
class Facts:
    """Everything that is known of a migration. The defaults are those of a migration that has not started."""

    now: float
    """When it was read."""
    phase_since: float
    mapping: str = ""
    """The hash of the mapping that the migration was started with."""
    phase: Phase = "prepare"
    rule: Rule = "guarded"
    backfill: BackfillFacts = field(default_factory=BackfillFacts)
    forward: LaneFacts = field(default_factory=LaneFacts)
    reverse: LaneFacts = field(default_factory=LaneFacts)
    workers: tuple[WorkerFacts, ...] = ()
    validation: FullValidation | None = None
    """None: no validation has compared everything yet."""
    verification: VerificationFacts | None = None
    """None: it has not run yet; it does from the first `dual` on."""
    quarantine: int = 0
    """Keys in quarantine."""
    conflicts: int = 0
    """Open conflicts and held items."""
    sides: Mapping[Side, SideFacts] = field(default_factory=dict)
    gaps: tuple[str, ...] = ()
    """Which table's stream records were lost; a repair is owed for each."""
    hold: str | None = None
    """Why an operator keeps the gate closed, who, and since when; None: nobody does."""
    moving: str | None = None
    """The phase move under way, its step, since when, and whose; None: there is none."""
