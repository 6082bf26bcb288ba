"""The phase, the rule by which changes are applied, and the ledger's epoch: what every worker acts by."""

from typing import Literal

from pydantic import ConfigDict
from pydantic.dataclasses import dataclass

Side = Literal["old", "v2"]
Phase = Literal["prepare", "forward", "dual", "reverse", "complete"]
Rule = Literal["guarded", "entering", "ledger"]
"""guarded: put if newer; before the first move into `dual`. entering: forward already applies by the ledger, reverse still
only observes. ledger: both directions apply by the ledger; the rule never changes again."""


@dataclass(frozen=True, slots=True, config=ConfigDict(extra="forbid", strict=True))
class Acting:
    """What workers act by: the phase, the rule and the epoch.

    The migration's state has the value in force. Each lane reports, in its beat, the value that it acts by; by that report it
    acknowledges a new one.
    """

    phase: Phase
    rule: Rule
    epoch: int
    """Of the ledger: its counts begin anew with each epoch, above those of all earlier ones."""

    @property
    def forward_by_ledger(self) -> bool:
        """Whether old changes are applied by the ledger rule, or by the guarded one."""
        return self.rule != "guarded"

    @property
    def reverse_carries(self) -> bool:
        """Whether v2 changes are carried to the old table, or only observed."""
        return self.rule == "ledger"

    @property
    def quiet_side(self) -> Literal["old", "v2"] | None:
        """The side on which the application should not write."""
        return "v2" if self.phase == "forward" else "old" if self.phase == "reverse" else None
