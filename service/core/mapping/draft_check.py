"""Tries a drafted mapping on the items that it was drafted from: which of them it maps and gives back."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from service.core.item.wire import Item, shown_key
from service.core.mapping.draft_text import quoted
from service.core.mapping.mapping import load_mapping
from service.core.mapping.trial import Trial, TriedItem, try_items

LISTED = 20
"""Items that the draft names at its top; all are counted."""


@dataclass(frozen=True)
class Tried:
    """What became of the items of a sample."""

    items: int
    mapped: int
    """Those that have a v2 item of their own, which gives the same old item back."""
    left_out: int = 0
    failures: list[str] = field(default_factory=list)
    """One line for each item that is neither: its key, and why."""

    @property
    def text(self) -> str:
        """For people, in one line."""
        line = f"{self.mapped} of {self.items} items of the sample are mapped and come back as they were"
        behind = f", {self.left_out} stay behind" if self.left_out else ""
        return f"{line}{behind}, {len(self.failures)} cannot be mapped" if self.failures else f"{line}{behind}"

    def to_json(self) -> dict[str, Any]:
        """A part of the document of `mapping init --json`."""
        return {"items": self.items, "mapped": self.mapped, "left_out": self.left_out, "failures": self.failures}


def try_draft(text: str, items: Sequence[Item]) -> Tried:
    """Map each item there and back. Raises Misconfigured when the draft is no mapping."""
    trial = try_items(load_mapping(text, source="the draft"), items)
    failures = _failures(trial)
    left_out = trial.total("left_out")
    return Tried(len(items), len(items) - left_out - len(failures), left_out, failures)


def _failures(trial: Trial) -> list[str]:
    failed = [_why(item) for item in trial.items if item.outcome in ("rejected", "not_given_back")]
    second = [old_key for shared in trial.shared for old_key in shared.old_keys[1:]]
    return failed + [f"old item {shown_key(old_key)}: another item has its v2 key" for old_key in second]


def _why(item: TriedItem) -> str:
    return (
        item.message
        or f"old item {shown_key(item.old_key)}: {', '.join(item.differs)} would not come back as they were"
    )


def with_failures(text: str, tried: Tried) -> str:
    """The draft, with the items at its top that it cannot map."""
    if not tried.failures:
        return text
    lines = [f"# Not mapped: {quoted(failure[:300])}" for failure in tried.failures[:LISTED]]
    if len(tried.failures) > LISTED:
        lines.append(f"# Not mapped: {len(tried.failures) - LISTED} more")
    return "\n".join([*lines, text])
