"""Whether the old table's stream outlives the copy: go, no-go or unknown.

A stream keeps a change for 24 h. Sync reads it while the copy runs, so a copy may well take longer than that: what must not
happen is that a change lies unread for 24 h. The question answered here is the worst case of one copy, begun right after
`create-tables`: may sync get nothing done until the copy has ended (it was never started, it has stopped and nobody saw it, or
v2 throttles it because the copy takes all that a partition key gives) and still find every change there?

- ``go``: yes, and with the time left that an operator wants for noticing and catching up. So `migrate` may even run alone, and
  `sync` after it. It is no promise: the time of the copy is a lower bound.
- ``no-go``: no, even if the copy is as fast as it can be. It is safe only with sync running beside it, never away for 24 h. What
  is trimmed unread is a gap, and a gap is repaired only after the backfill has finished (DESIGN section 7).

Tombstones play no part: they are kept until the copy has finished, however long that takes. Nor does the verdict stop anything.
"""

from dataclasses import dataclass
from typing import Literal

from service.core.shards import RETENTION_SECONDS

RetentionVerdict = Literal["go", "no-go", "unknown"]


@dataclass(frozen=True, slots=True)
class Retention:
    """In seconds. copy_seconds: how long the copy takes at least; margin_seconds: what is left of the stream's 24 h then, negative
    when the copy takes longer. Both None when it cannot be told. wanted_seconds: the least margin that is a go.
    """

    verdict: RetentionVerdict
    copy_seconds: float | None
    margin_seconds: float | None
    wanted_seconds: float


def judge_retention(copy_seconds: float | None, wanted_seconds: float) -> Retention:
    """copy_seconds: the least time of the copy, None when it cannot be told. wanted_seconds: the margin that a go leaves."""
    if copy_seconds is None:
        return Retention("unknown", None, None, wanted_seconds)
    margin = RETENTION_SECONDS - copy_seconds
    return Retention("go" if margin >= wanted_seconds else "no-go", copy_seconds, margin, wanted_seconds)
