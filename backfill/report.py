"""The reports of a backfill: of a finished run, and of an array job that has copied slices of one."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from backfill.segments import BackfillRun, Outcomes
from service.clock import iso


@dataclass(frozen=True, slots=True)
class BackfillReport:
    """A finished backfill."""

    run: BackfillRun
    outcomes: Outcomes
    """Of the whole run, earlier workers included."""
    already_finished: bool = False
    """The run had finished before: this worker has done nothing."""
    resumed: bool = False
    """This worker has resumed a run that an earlier one had begun."""
    note: str = ""
    """An option that was not applied, and why; empty for none."""

    @property
    def ok(self) -> bool:
        """Whether the run that this command has finished quarantined nothing."""
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
        """The report for people."""
        assert self.run.finished_at is not None
        done, when = self.outcomes, iso(self.run.finished_at)
        counts = f"{done.items} items ({done.to_text()})"
        if self.already_finished:
            return f"the backfill has finished at {when}: {counts}; `tablesplit migrate --again` copies the whole table again"
        lines = [f"backfill finished at {when}: {counts} in {self.run.finished_at - self.run.started_at:.1f} s"]
        if done.quarantined:
            lines.append("items in quarantine need a person: see `tablesplit quarantine list`")
        return "\n".join([*lines, self.note] if self.note else lines)


@dataclass(frozen=True, slots=True)
class SlicesReport:
    """The slices that one job of an array has copied, while other jobs still copy theirs."""

    run: BackfillRun
    outcomes: Mapping[int, Outcomes]
    """Of the slices that this job has copied to their end, by number."""
    slices_left: int
    """Slices of the run that are not done."""
    note: str = ""
    """As in ``BackfillReport``."""

    @property
    def done(self) -> Outcomes:
        """The outcomes of all slices that this job has copied."""
        return sum(self.outcomes.values(), Outcomes())

    def to_json(self) -> dict[str, Any]:
        """The document of `migrate --json`."""
        return {
            "result": "slices copied",
            "run": self.run.id,
            "items": self.done.items,
            **asdict(self.done),
            "slices": sorted(self.outcomes),
            "slices_left": self.slices_left,
            "started_at": iso(self.run.started_at),
            "note": self.note,
        }

    def to_text(self) -> str:
        """The report for people."""
        line = (
            f"copied {len(self.outcomes)} of {self.run.slices} slices here: {self.done.items} items "
            f"({self.done.to_text()}); other jobs are copying {self.slices_left}"
        )
        return "\n".join([line, self.note] if self.note else [line])
