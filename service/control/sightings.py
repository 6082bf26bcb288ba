"""Who is alive, told by records that move.

A process that lives writes its record again and again, each time with a new revision. A reader watches that on its own monotonic
clock. No machine's clock is compared with another's: a worker whose clock is wrong is as alive as any other.
"""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(slots=True)
class _Sighting:
    rev: str
    since: float
    """When this revision was first seen."""
    looked_at: float
    moved: bool
    """Whether it was seen to replace another one."""


class Sightings:
    """What this process has seen of the records of one partition. Times are its monotonic seconds."""

    def __init__(self, silent_seconds: float) -> None:
        """``silent_seconds``: a process that has not written for so long is not alive."""
        self._silent = silent_seconds
        self._seen: dict[str, _Sighting] = {}

    def look(self, revs: Mapping[str, str], now: float) -> None:
        """Take in the revision of every record that there is, by name.

        After a look that was long ago a new revision says only that the process was alive in between.
        """
        for name in self._seen.keys() - revs.keys():
            del self._seen[name]
        for name, rev in revs.items():
            seen = self._seen.get(name)
            if seen is None:
                self._seen[name] = _Sighting(rev, now, now, moved=False)
                continue
            if seen.rev != rev:
                seen.rev, seen.since, seen.moved = rev, now, now - seen.looked_at < self._silent
            seen.looked_at = now

    def alive(self, name: str, now: float) -> bool:
        """Whether the record was seen to move within the last ``silent_seconds``."""
        seen = self._seen.get(name)
        return seen is not None and seen.moved and now - seen.since < self._silent

    def undecided(self, within_seconds: float, now: float) -> bool:
        """Whether a record has not moved, but has not been watched for ``within_seconds`` either."""
        return any(not seen.moved and now - seen.since < within_seconds for seen in self._seen.values())

    def unchanged_seconds(self, name: str, now: float) -> float:
        """How long the record has been seen unchanged."""
        seen = self._seen.get(name)
        return 0.0 if seen is None else now - seen.since
