"""What a self-test found: each assumption with its outcome, as a table for people and as JSON."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

Outcome = Literal["held", "broken", "not seen", "failed"]
"""``not seen``: what would show it did not happen in the time allowed. ``failed``: the question could not be asked."""


@dataclass(frozen=True, slots=True)
class Finding:
    """The answer to one question."""

    outcome: Outcome
    seen: str
    """What was seen, in one line, without names of the account."""


@dataclass(frozen=True, slots=True)
class Assumption:
    """What the design assumes, and what was found."""

    name: str
    text: str
    """The assumption, as a sentence."""
    rule: str
    """The rule of section 12 of the design that rests on it."""
    finding: Finding

    def to_json(self) -> dict[str, str]:
        """One entry of the document."""
        return {
            "name": self.name,
            "outcome": self.finding.outcome,
            "seen": self.finding.seen,
            "assumption": self.text,
            "rule": self.rule,
        }


@dataclass(frozen=True, slots=True)
class SelfTestReport:
    """All assumptions, and where they were asked. It names no account, table or identity, so it can be sent to anyone."""

    assumptions: Sequence[Assumption]
    server: str
    """``AWS`` or ``local``."""
    region: str
    version: str
    """Of tablesplit."""
    seconds: float

    @property
    def ok(self) -> bool:
        """Whether no assumption is broken, and every question could be asked."""
        return not any(assumption.finding.outcome in ("broken", "failed") for assumption in self.assumptions)

    def to_json(self) -> dict[str, Any]:
        """The document of `selftest --json`."""
        return {
            "result": "held" if self.ok else "broken",
            "server": self.server,
            "region": self.region,
            "version": self.version,
            "seconds": round(self.seconds, 1),
            "assumptions": [assumption.to_json() for assumption in self.assumptions],
        }

    def to_text(self) -> str:
        """A line for each assumption with what was seen, and below it the assumption and its rule; the last line is the verdict."""
        lines = []
        width = max((len(assumption.name) for assumption in self.assumptions), default=0) + 2
        for assumption in self.assumptions:
            lines.append(f"{assumption.finding.outcome:10}{assumption.name:{width}}{assumption.finding.seen}")
            lines.append(f"{'':10}{assumption.text}")
            lines.append(f"{'':10}rests on it: {assumption.rule}")
        outcomes = [assumption.finding.outcome for assumption in self.assumptions]
        counts = ", ".join(f"{outcomes.count(outcome)} {outcome}" for outcome in dict.fromkeys(outcomes))
        where = f"{self.server} {self.region}, tablesplit {self.version}, {self.seconds:.0f} s"
        return "\n".join([*lines, f"selftest: {'OK' if self.ok else 'BROKEN'}: {counts} ({where})"])
