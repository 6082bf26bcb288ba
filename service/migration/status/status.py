"""The status of the whole migration. The command line, the API, the log line and the metrics all render this one value."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from service.clock import iso
from service.core.item.wire import plain_key, shown_key
from service.core.phases.acting import Phase, Side
from service.core.phases.facts import (
    BackfillFacts,
    Facts,
    FullValidation,
    LaneFacts,
    SideFacts,
    VerificationFacts,
    WorkerFacts,
)
from service.core.phases.gate import Gate
from service.core.phases.moves import next_move
from service.escape import lines_of
from service.migration.status.identity import MigrationIdentity

NOT_STARTED = "run `tablesplit preflight`, then `tablesplit create-tables`"
"""What to do where nothing has been started."""


@dataclass(frozen=True, slots=True)
class Status:
    """The facts, and what is derived from them."""

    facts: Facts
    gate: Gate | None = None
    """The gate of the move that leads on; None where none does."""
    retention_headroom_seconds: float | None = None
    """Time until the first unread change may be trimmed; None: no lane has saved a position."""
    identity: MigrationIdentity | None = None
    """Which migration it is; None: not told."""

    @property
    def started(self) -> bool:
        """Whether there is a migration to show: `create-tables` has started it."""
        return self.facts.phase != "prepare"

    def to_json(self) -> dict[str, Any]:
        """The document that `status --json` and /v1/status give."""
        facts = self.facts
        return {
            "identity": None if self.identity is None else self.identity.to_json(),
            "started": self.started,
            "phase": facts.phase,
            "phase_since": iso(facts.phase_since),
            "mapping": facts.mapping,
            "rule": facts.rule,
            "move": facts.moving,
            "hold": facts.hold,
            "backfill": _backfill_document(facts.backfill),
            "forward": _lane_document(facts.forward),
            "reverse": _lane_document(facts.reverse),
            "quarantine": facts.quarantine,
            "conflicts": facts.conflicts,
            "validation": _validation_document(facts.validation, facts.now),
            "retention_headroom_seconds": self.retention_headroom_seconds,
            "gap": self.gap,
            "workers": [_worker_document(worker) for worker in facts.workers],
            "gate": None if self.gate is None else self.gate.to_json(),
            "verification": _verification_document(facts.verification),
            "rogue_writes": {side: activity.rogue_writes for side, activity in facts.sides.items()},
        }

    @property
    def gap(self) -> str | None:
        """Why a repair is owed; None: none is."""
        return "; ".join(self.facts.gaps) or None

    def to_log(self) -> dict[str, Any]:
        """The facts of the log line."""
        facts = self.facts
        return {
            "phase": facts.phase,
            "backfill": facts.backfill.state,
            "lag_seconds": facts.forward.lag_seconds,
            "caught_up": facts.forward.caught_up,
            "reverse_lag_seconds": facts.reverse.lag_seconds,
            "quarantine": facts.quarantine,
            "conflicts": facts.conflicts,
            "workers": len(facts.workers),
            "gate": None if self.gate is None else _gate_text(self.gate),
        }

    def to_text(self) -> str:
        """The same for people, one line for each subject."""
        known = [] if self.identity is None else [f"migration    {self.identity.to_text()}"]
        if not self.started:
            return lines_of([*known, "phase        none: nothing has been started here", f"what to do   {NOT_STARTED}"])
        return lines_of([*known, *_always_shown(self.facts), *self._shown_when_known()])

    def _shown_when_known(self) -> list[str]:
        facts = self.facts
        lines = {
            "headroom     ": _headroom_text(self.retention_headroom_seconds),
            "move         ": facts.moving,
            "hold         ": facts.hold and f"{facts.hold}: `tablesplit release` lifts it",
            "verification ": facts.verification and _verification_text(facts.verification),
            "gate         ": self.gate and f"{_gate_text(self.gate)}{_onward(facts.phase, self.gate)}",
            "rogue        ": _rogue_text(facts.sides),
            "gap          ": self.gap and f"{self.gap}: run `tablesplit validate --repair`",
        }
        return [f"{subject}{text}" for subject, text in lines.items() if text is not None]


def _backfill_document(backfill: BackfillFacts) -> dict[str, Any]:
    started_at, finished_at = (None if at is None else iso(at) for at in (backfill.started_at, backfill.finished_at))
    shown = {"started_at": started_at, "finished_at": finished_at, "waiting_for": list(backfill.waiting_for)}
    return {**asdict(backfill), **shown}


def _lane_document(lane: LaneFacts) -> dict[str, Any]:
    return {
        "lag_seconds": lane.lag_seconds,
        "caught_up": lane.caught_up,
        "shards": lane.shards,
        "outcomes": dict(lane.outcomes),
        "shards_waiting": lane.shards_waiting,
        "shards_finished": lane.shards_finished,
        "catch_up_seconds": lane.catch_up_seconds,
        "stopped": lane.stopped,
    }


def _worker_document(worker: WorkerFacts) -> dict[str, Any]:
    return {
        "id": worker.name,
        "forward": worker.forward,
        "reverse": worker.reverse,
        "seen_seconds_ago": worker.last_report_seconds,
        "failure": worker.failure,
        "heard": worker.live,
    }


def _validation_document(validation: FullValidation | None, now: float) -> dict[str, Any] | None:
    if validation is None:
        return None
    return {
        "result": validation.result,
        "differences": validation.differences,
        "finished_at": validation.finished_text,
        "age_seconds": validation.age(now),
    }


def _verification_document(verification: VerificationFacts | None) -> dict[str, Any] | None:
    if verification is None:
        return None
    return {
        "checked": verification.checked,
        "pending": verification.pending,
        "differences": verification.differences,
        "keys": [plain_key(key) for key in verification.keys],
        "finished_at": iso(verification.finished_at),
    }


def _always_shown(facts: Facts) -> list[str]:
    return [
        f"phase        {facts.phase} since {iso(facts.phase_since)}, mapping {facts.mapping}",
        f"backfill     {_backfill_text(facts.backfill)}",
        f"forward      {_lane_text(facts.forward)}",
        f"reverse      {_lane_text(facts.reverse)}",
        f"quarantine   {_counted(facts.quarantine, 'key')}{_look('quarantine', facts.quarantine)}",
        f"conflicts    {facts.conflicts} open{_look('conflicts', facts.conflicts)}",
        f"validation   {_validation_text(facts.validation)}",
        *(f"worker       {_worker_text(worker)}" for worker in facts.workers),
    ]


def _counted(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"


def _look(group: str, number: int) -> str:
    """The command that lists what a person has to settle, where there is something."""
    return f": see `tablesplit {group} list`" if number else ""


def _backfill_text(backfill: BackfillFacts) -> str:
    if backfill.state == "not started":
        return backfill.state
    eta = "" if backfill.eta_seconds is None else f", about {backfill.eta_seconds:.0f} s to go"
    left_out = f" ({backfill.left_out} left out)" if backfill.left_out else ""
    speed = f"{backfill.items_per_second:.0f} items/s, " if backfill.state == "running" else ""
    return (
        f"{backfill.state}: {backfill.items} items{left_out}, segments {backfill.segments_done}/{backfill.segments}, "
        f"{speed}about {backfill.cost_usd:.2f} USD{eta}"
    )


def _lane_text(lane: LaneFacts) -> str:
    if lane.stopped:
        return "stopped, and no other worker has taken over: see why below"
    if lane.lag_seconds is None:
        return "no worker owns this lane: start `tablesplit sync`, or wait until a standby takes it over"
    state = "caught up" if lane.caught_up else "not caught up"
    if not lane.caught_up and lane.catch_up_seconds:
        state += f" for about {lane.catch_up_seconds:.0f} s more"
    outcomes = ", ".join(f"{name} {count}" for name, count in sorted(lane.outcomes.items()))
    return f"{state}, lag {lane.lag_seconds:.0f} s, {_counted(lane.shards, 'shard')}; {outcomes or 'no changes yet'}"


def _validation_text(validation: FullValidation | None) -> str:
    if validation is None:
        return "never run in full"
    return f"{validation.result} ({validation.differences} differences) at {validation.finished_text}"


def _verification_text(verification: VerificationFacts) -> str:
    counts = f"{verification.checked} touched keys equal, {verification.differences} different"
    named = ", ".join(map(shown_key, verification.keys))
    remedy = f" ({named}): see `tablesplit verification list`" if verification.differences else ""
    return f"{counts}, {verification.pending} not quiet yet at {iso(verification.finished_at)}{remedy}"


def _headroom_text(seconds: float | None) -> str | None:
    return None if seconds is None else f"{seconds / 3600:.1f} h until unread changes are trimmed"


def _rogue_text(sides: Mapping[Side, SideFacts]) -> str | None:
    counts = [f"{activity.rogue_writes} on {side}" for side, activity in sorted(sides.items()) if activity.rogue_writes]
    return f"{', '.join(counts)}, which should be quiet, since the phase began" if counts else None


def _gate_text(gate: Gate) -> str:
    closed = ", ".join(condition.name for condition in gate.closed)
    return f"to {gate.to}: {f'closed by {closed}' if closed else 'open'}"


def _onward(phase: Phase, gate: Gate) -> str:
    """The command that comes next: it makes the move, or says of a closed gate what to do about each condition."""
    move = next_move(phase)
    if move is None or move.to != gate.to:
        return ""
    return f": see `tablesplit {move.command} --dry-run`" if gate.closed else f": next is `tablesplit {move.command}`"


def _worker_text(worker: WorkerFacts) -> str:
    roles = f"forward {worker.forward}, reverse {worker.reverse}"
    failure = f"; STOPPED: {worker.failure}" if worker.failure else ""
    return f"{worker.name} ({roles}), last report {worker.last_report_seconds:.0f} s ago{failure}"
