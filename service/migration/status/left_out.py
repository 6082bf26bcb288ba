"""How many old items stay behind by ``leave_out`` of the mapping, as the latest run that has seen all of them counted.

`complete` says it once more: after that nobody counts them, and the old table is the only place where they are.
"""

from dataclasses import asdict, dataclass
from typing import Any, Literal

from backfill.records import read_run_status
from service.app import App
from service.clock import iso
from service.validation.records import latest_full


@dataclass(frozen=True, slots=True)
class LeftOut:
    """The count, and what it is of."""

    items: int | None
    """None: no run has counted them; the rest is empty then."""
    counted_by: Literal["validation", "backfill"] | None = None
    finished_at: str | None = None
    """When that run finished, ISO 8601."""
    seconds_ago: float | None = None

    def to_json(self) -> dict[str, Any]:
        """Its part of `complete --json`, and of the audit record."""
        return asdict(self)

    def to_text(self) -> str:
        """One line."""
        stay = "stay behind in the old table, as leave_out of the mapping says"
        if self.items is None or self.seconds_ago is None:
            return f"items {stay}; no run has counted them"
        age = f"{self.seconds_ago / 3600:.1f} h ago"
        return (
            f"{self.items:,} items {stay}; the {self.counted_by} counted them that finished {age} ({self.finished_at})"
        )


async def read_left_out(app: App) -> LeftOut | None:
    """By the latest full validation, or by the backfill where none has counted; None where the mapping leaves nothing out.

    Raises Fatal when a record is damaged.
    """
    if not app.mapping.leave_out:
        return None
    now = app.clock.now()
    validated = await latest_full(app.control)
    if validated is not None and validated.left_out is not None:
        age = max(0.0, now - validated.finished_seconds)
        return LeftOut(validated.left_out, "validation", validated.finished_at, age)
    copied = await read_run_status(app.control, now)
    finished = None if copied is None else copied.run.finished_at
    if copied is None or finished is None:
        return LeftOut(None)
    return LeftOut(copied.outcomes.left_out, "backfill", iso(finished), max(0.0, now - finished))
