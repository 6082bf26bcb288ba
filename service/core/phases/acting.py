"""What a worker acts by: the phase, the rule by which changes are applied, and the ledger's epoch."""

from typing import Literal

from pydantic import ConfigDict
from pydantic.dataclasses import dataclass

Side = Literal["old", "v2"]


Phase = Literal["prepare", "forward", "dual", "reverse", "complete"]
Rule = Literal["guarded", "entering", "ledger"]
"""guarded: put if newer, before the first move into `dual`. entering: forward already applies by the ledger, reverse still
only observes. ledger: both by the ledger, from then on for good."""


@dataclass(frozen=True, slots=True, config=ConfigDict(extra="forbid", strict=True))
class Acting:
    """One of these is in force in the whole migration; each lane reports the one that it works by."""

    phase: Phase
    rule: Rule
    epoch: int

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
