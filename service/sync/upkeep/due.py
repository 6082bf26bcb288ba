"""Which entries of the ledger a walk of the verification compares.

A walk reads both tables of the application, beside their production. So it compares what may differ: entries that were touched
since they were compared last, and those that differed or could not be judged. Of all others it compares one in so many, by turns.
"""

from zlib import crc32

MAX_OPEN = 100_000
"""Names of entries kept for the next walk, about 100 bytes each. Beyond, the next walk compares every entry."""


class Due:
    """What the walks of one worker have compared so far. The first walk of a worker compares every entry."""

    def __init__(self, turns: int) -> None:
        """``turns``: in so many walks each entry is compared at least once."""
        self._turns = turns
        self._turn = 0
        self._compared_to: float | None = None
        self._open: set[str] = set()
        self._left: set[str] = set()

    def begin(self) -> None:
        """A walk begins."""
        self._left = set()

    def has(self, name: str, touched_at: float) -> bool:
        """Whether the walk compares the entry ``name``, last touched at ``touched_at`` (epoch seconds)."""
        return (
            self._compared_to is None
            or touched_at > self._compared_to
            or name in self._open
            or crc32(name.encode()) % self._turns == self._turn
        )

    def leave_open(self, name: str) -> None:
        """The entry differs, or could not be judged: the next walk compares it too."""
        self._left.add(name)

    def end(self, compared_to: float) -> None:
        """The walk has compared what was due and touched at or before ``compared_to``. One that was cut short ends without this."""
        self._compared_to = compared_to if len(self._left) <= MAX_OPEN else None
        self._open, self._turn = self._left, (self._turn + 1) % self._turns
