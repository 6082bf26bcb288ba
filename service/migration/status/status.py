"""One snapshot of the whole migration. The command line, the API, the log line and the metrics all render this value."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from service.core.phases.gate import Gate


@dataclass(frozen=True, slots=True)
class BackfillStatus:
    """How far the bulk copy is. state: not started | running | stopped | finished. eta_seconds: None until it can be told.
    cost_usd: of the run so far, by the price file."""

    state: str
    items: int
    segments_done: int
    segments: int
    items_per_second: float
    eta_seconds: float | None
    cost_usd: float = 0.0


@dataclass(frozen=True, slots=True)
class LaneStatus:
    """How far one direction's streams are applied: the old table's forward, the v2 tables' in reverse.

    lag_seconds: age of the oldest unapplied change; None while no worker reports.
    caught_up: every shard has been read to its end and applied since the question was asked.
    shards: not read to their end yet, shards_waiting of them for their parents; shards_finished: those that are.
    outcomes: how many writes ended how, since the worker began.
    catch_up_seconds: expected time until caught up; None: not known. stopped: a worker's lane has, and no other has taken over.
    """

    lag_seconds: float | None
    caught_up: bool
    shards: int
    outcomes: Mapping[str, int]
    shards_waiting: int = 0
    shards_finished: int = 0
    catch_up_seconds: float | None = None
    stopped: bool = False


@dataclass(frozen=True, slots=True)
class WorkerStatus:
    """One sync process. forward, reverse: owner | standby | stopped. failure: why a lane has stopped, with the remedy, or None.
    heard: it counts as alive."""

    id: str
    forward: str
    reverse: str
    seen_seconds_ago: float
    failure: str | None
    heard: bool = True


@dataclass(frozen=True, slots=True)
class ValidationStatus:
    """The latest finished validation that compared everything. result: equal | different; differences: how many; age_seconds:
    since it finished."""

    result: str
    differences: int
    finished_at: str
    age_seconds: float | None = None


@dataclass(frozen=True, slots=True)
class VerificationStatus:
    """The last re-verification of touched keys. checked: found equal; pending: not quiet yet; differences: keys that differ, a
    hundred at most."""

    checked: int
    pending: int
    differences: int
    finished_at: str


@dataclass(frozen=True, slots=True)
class Status:
    """The snapshot. phase_since: ISO 8601, UTC. rule: guarded | entering | ledger. move: the phase move under way, and its
    step; hold: why an operator keeps the gate closed; gap: why a reconcile pass is owed; each None for none. conflicts: open
    ones, held items among them. gate: of the move that leads on; None where none does.
    verification: None before the first `dual`. rogue_writes: the application's, by the side that should be quiet, since the
    phase began.
    """

    phase: str
    phase_since: str
    mapping: str
    rule: str
    move: str | None
    hold: str | None
    backfill: BackfillStatus
    forward: LaneStatus
    reverse: LaneStatus
    quarantine: int
    conflicts: int
    validation: ValidationStatus | None
    retention_headroom_seconds: float | None
    gap: str | None
    workers: tuple[WorkerStatus, ...]
    gate: Gate | None = None
    verification: VerificationStatus | None = None
    rogue_writes: Mapping[str, int] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """The document that `status --json` and /v1/status give."""
        return {**asdict(self), "gate": None if self.gate is None else self.gate.to_json()}

    def to_log(self) -> dict[str, Any]:
        """The facts of the log line."""
        return {
            "phase": self.phase,
            "backfill": self.backfill.state,
            "lag_seconds": self.forward.lag_seconds,
            "caught_up": self.forward.caught_up,
            "reverse_lag_seconds": self.reverse.lag_seconds,
            "quarantine": self.quarantine,
            "conflicts": self.conflicts,
            "workers": len(self.workers),
            "gate": None if self.gate is None else _gate_text(self.gate),
        }

    def to_text(self) -> str:
        """The same for people, a line a subject."""
        lines = [
            f"phase        {self.phase} since {self.phase_since}, mapping {self.mapping}",
            f"backfill     {_backfill_text(self.backfill)}",
            f"forward      {_lane_text(self.forward)}",
            f"reverse      {_lane_text(self.reverse)}",
            f"quarantine   {self.quarantine} {'key' if self.quarantine == 1 else 'keys'}",
            f"conflicts    {self.conflicts} open",
            f"validation   {_validation_text(self.validation)}",
            *(f"worker       {_worker_text(worker)}" for worker in self.workers),
        ]
        if self.retention_headroom_seconds is not None:
            lines.append(
                f"headroom     {self.retention_headroom_seconds / 3600:.1f} h until unread changes are trimmed"
            )
        if self.move is not None:
            lines.append(f"move         {self.move}")
        if self.hold is not None:
            lines.append(f"hold         {self.hold}: `tablesplit release` lifts it")
        if self.verification is not None:
            lines.append(f"verification {_verification_text(self.verification)}")
        if self.gate is not None:
            lines.append(f"gate         {_gate_text(self.gate)}")
        if any(self.rogue_writes.values()):
            lines.append(f"rogue        {_rogue_text(self.rogue_writes)}")
        if self.gap is not None:
            lines.append(f"gap          {self.gap}: run `tablesplit validate --repair`")
        return "\n".join(lines)


def _backfill_text(backfill: BackfillStatus) -> str:
    if backfill.state == "not started":
        return backfill.state
    eta = "" if backfill.eta_seconds is None else f", about {backfill.eta_seconds:.0f} s to go"
    return (
        f"{backfill.state}: {backfill.items} items, segments {backfill.segments_done}/{backfill.segments}, "
        f"{backfill.items_per_second:.0f} items/s, about {backfill.cost_usd:.2f} USD{eta}"
    )


def _lane_text(lane: LaneStatus) -> str:
    if lane.stopped:
        return "stopped, and no other worker has taken over: see why below"
    if lane.lag_seconds is None:
        return "no sync worker reports: start `tablesplit sync`"
    state = "caught up" if lane.caught_up else "not caught up"
    if not lane.caught_up and lane.catch_up_seconds:
        state += f" for about {lane.catch_up_seconds:.0f} s more"
    outcomes = ", ".join(f"{name} {count}" for name, count in sorted(lane.outcomes.items()))
    return f"{state}, lag {lane.lag_seconds:.0f} s, {lane.shards} shards; {outcomes or 'no changes yet'}"


def _validation_text(validation: ValidationStatus | None) -> str:
    if validation is None:
        return "never run in full"
    return f"{validation.result} ({validation.differences} differences) at {validation.finished_at}"


def _verification_text(found: VerificationStatus) -> str:
    told = f"{found.checked} touched keys equal, {found.differences} different, {found.pending} not quiet yet"
    return f"{told} at {found.finished_at}"


def _rogue_text(rogue_writes: Mapping[str, int]) -> str:
    told = ", ".join(f"{count} on {side}" for side, count in sorted(rogue_writes.items()) if count)
    return f"{told}, which should be quiet, since the phase began"


def _gate_text(gate: Gate) -> str:
    closed = ", ".join(condition.name for condition in gate.closed)
    return f"to {gate.to}: {f'closed by {closed}' if closed else 'open'}"


def _worker_text(worker: WorkerStatus) -> str:
    failure = f"; STOPPED: {worker.failure}" if worker.failure else ""
    return f"{worker.id} (forward {worker.forward}, reverse {worker.reverse}), seen {worker.seen_seconds_ago:.0f} s ago{failure}"
