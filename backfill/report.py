"""What a backfill answers."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from backfill.segments import BackfillRun, Outcomes
from service.clock import iso


@dataclass(frozen=True, slots=True)
class BackfillReport:
    """A finished backfill. outcomes: of the whole run, also of what earlier workers did.

    already_finished: it had been finished before, nothing was done now. resumed: this worker went on with what an
    earlier one had begun. note: what the operator asked for and did not get; empty when there is nothing to say.
    """

    run: BackfillRun
    outcomes: Outcomes
    already_finished: bool = False
    resumed: bool = False
    note: str = ""

    @property
    def ok(self) -> bool:
        """Nothing was quarantined by the work just done."""
        return self.already_finished or not self.outcomes.quarantined

    def to_json(self) -> dict[str, Any]:
        """The document of `migrate --json`."""
        assert self.run.finished_at is not None
        return {
            "result": "already finished" if self.already_finished else "finished",
            "run": self.run.id,
            "items": self.outcomes.items,
            **asdict(self.outcomes),
            "segments": self.run.segments,
            "resumed": self.resumed,
            "started_at": iso(self.run.started_at),
            "finished_at": iso(self.run.finished_at),
            "note": self.note,
        }

    def to_text(self) -> str:
        """The same for people."""
        assert self.run.finished_at is not None
        done, when = self.outcomes, iso(self.run.finished_at)
        counts = f"{done.items} items ({done.to_text()})"
        if self.already_finished:
            return f"the backfill has finished at {when}: {counts}; `tablesplit migrate --again` walks the table anew"
        lines = [f"backfill finished at {when}: {counts} in {self.run.finished_at - self.run.started_at:.1f} s"]
        if done.quarantined:
            lines.append("items in quarantine need a person: see `tablesplit quarantine list`")
        return "\n".join([*lines, self.note] if self.note else lines)


@dataclass(frozen=True, slots=True)
class SlicesReport:
    """What a job of an array has done, when others are still at work. outcomes: of the slices that it walked to the end, by
    number. left: slices that are not done. note: as in ``BackfillReport``."""

    run: BackfillRun
    outcomes: Mapping[int, Outcomes]
    left: int
    note: str = ""

    @property
    def done(self) -> Outcomes:
        """Of all slices that it walked."""
        return sum(self.outcomes.values(), Outcomes())

    def to_json(self) -> dict[str, Any]:
        """The document of `migrate --json`."""
        return {
            "result": "slices copied",
            "run": self.run.id,
            "items": self.done.items,
            **asdict(self.done),
            "slices": sorted(self.outcomes),
            "slices_left": self.left,
            "started_at": iso(self.run.started_at),
            "note": self.note,
        }

    def to_text(self) -> str:
        """The same for people."""
        line = (
            f"copied {len(self.outcomes)} of {self.run.slices} slices here: {self.done.items} items "
            f"({self.done.to_text()}); others are at work on {self.left}"
        )
        return "\n".join([line, self.note] if self.note else [line])
