"""The validation report, as the JSON document of ``validate --json`` and as text, and its summaries for the control table."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any, Literal

from service.core.item.wire import Item, plain_key
from service.core.rules.verdict import Finding
from service.validation.tally import Tally, index_table, items_table

MISSING_REMEDY = (
    "an old item that v2 lacks is put there by `--repair`, but not in `reverse`, where v2 may have deleted it, nor with an open "
    "conflict: see `tablesplit conflicts list` and `tablesplit quarantine list`; else put it on v2, or delete it on the old table"
)
LISTED_DIFFERENCES = 1_000
"""A report lists so many differences, and counts all; ``--output`` writes all."""

Result = Literal["equal", "different"]


@dataclass(frozen=True, slots=True)
class Difference:
    """One difference that lasted, or (kind ``not-yet``) a key that was still changing at the timeout."""

    kind: str
    entity: str
    old_key: Item | None
    """The whole key in wire form."""
    v2_key: Item | None
    """The whole key in wire form."""
    fields: tuple[str, ...]
    first_seen: str
    """ISO 8601, UTC."""

    def to_json(self) -> dict[str, Any]:
        return {
            "kind": self.kind,
            "entity": self.entity,
            "old_key": self.old_key and plain_key(self.old_key),
            "v2_key": self.v2_key and plain_key(self.v2_key),
            "fields": list(self.fields),
            "first_seen": self.first_seen,
        }


@dataclass(frozen=True, slots=True)
class Report:
    """The outcome of one validation. Times are ISO 8601, UTC."""

    run: str
    mapping: str
    started_at: str
    finished_at: str
    entities: tuple[str, ...]
    tally: Tally
    """Counts all differences."""
    differences: Sequence[Mapping[str, Any]]
    """The first ``LISTED_DIFFERENCES``, as JSON documents."""
    resumed: bool = False
    both_ways: bool = False

    @property
    def remedy(self) -> str:
        """What to do about differences that no repair can remove; empty when there are none."""
        missing = sum(n for key, n in self.tally.items() if key[0] == "items" and key[2] == "missing")
        return MISSING_REMEDY if self.both_ways and missing else ""

    @property
    def equal(self) -> bool:
        """Whether nothing differs, every inverse gives the old item back, and every index has its items."""
        failures = ("differences", "inverse_failures", "index_missing")
        return not any(self.tally["run", failure] for failure in failures)

    def summary(self) -> "RunSummary":
        """The run in short."""
        result: Result = "equal" if self.equal else "different"
        return RunSummary(self.run, result, self.tally["run", "differences"], self.finished_at)

    def full_run(self) -> "FullRun":
        """The run in short, if it has compared everything."""
        return FullRun(
            **asdict(self.summary()),
            inverse_failures=self.tally["run", "inverse_failures"],
            started_at=self.started_at,
            set_aside=self.tally["run", "set_aside"],
            left_out=self.tally["run", "left_out"],
        )

    def to_json(self) -> dict[str, Any]:
        """The document of ``validate --json``."""
        return {
            "id": self.run,
            "result": self.summary().result,
            "counts": items_table(self.tally, self.entities),
            "differences": list(self.differences),
            "differences_total": self.tally["run", "differences"],
            "not_yet": self.tally["run", "not_yet"],
            "repaired": self.tally["run", "repaired"],
            "index_checks": index_table(self.tally),
            "inverse_failures": self.tally["run", "inverse_failures"],
            "left_out": self.tally["run", "left_out"],
            "started_at": self.started_at,
            "finished_at": self.finished_at,
            "resumed": self.resumed,
            "mapping": self.mapping,
            "remedy": self.remedy,
        }

    def to_text(self, width: int = 110) -> str:
        """The report for people: counts, index checks, the first differences, and the result in the last line."""
        from service.validation.report_text import report_text  # rich is imported for those who show one

        return report_text(self.to_json(), width)


@dataclass(frozen=True, slots=True)
class RunSummary:
    """A finished run in short, as the control table records the latest one."""

    id: str
    result: Result
    differences_total: int
    finished_at: str
    """ISO 8601, UTC."""


@dataclass(frozen=True, slots=True)
class FullRun(RunSummary):
    """A finished run that compared everything, in short, as the control table records the latest such run."""

    inverse_failures: int
    started_at: str
    """ISO 8601, UTC."""
    set_aside: int = 0
    """How many of the differences no repair writes. An earlier version did not count them."""
    left_out: int | None = None
    """How many old items stay behind, as the mapping says; None: an earlier version did not note it."""

    @property
    def equal(self) -> bool:
        """Whether both sides were equal."""
        return self.result == "equal"

    @property
    def started_seconds(self) -> float:
        """When it started, in epoch seconds."""
        return datetime.fromisoformat(self.started_at).timestamp()

    @property
    def finished_seconds(self) -> float:
        """When it finished, in epoch seconds."""
        return datetime.fromisoformat(self.finished_at).timestamp()


def difference(finding: Finding, first_seen: float, kind: str) -> Difference:
    """The report's entry for a finding. ``first_seen``: epoch seconds."""
    pair = finding.pair
    return Difference(kind, pair.entity, pair.old_key, pair.v2_key, finding.fields, instant(first_seen))


def instant(seconds: float) -> str:
    """Epoch seconds as ISO 8601 in UTC, to the millisecond."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
