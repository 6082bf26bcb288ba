"""Counts how often the whole stream has been read to its end. "Caught up" and the purge of tombstones depend on it."""

import itertools
from collections.abc import Collection


class Rounds:
    """Counts rounds.

    A round is complete when a discovery and, for every unfinished shard, a read that reached its end have all *begun* after the
    round began, and what they found is applied and saved. Tickets record the order of these beginnings without a clock.
    """

    def __init__(self) -> None:
        self.count = 0
        self._tickets = itertools.count(1)
        self._began = next(self._tickets)
        self._listed = 0
        self._read: set[str] = set()

    def ticket(self) -> int:
        """A new ticket, to be drawn right before a request is made."""
        return next(self._tickets)

    def listed(self, ticket: int) -> None:
        """A discovery that began at ``ticket`` is complete."""
        self._listed = ticket

    def read_to_end(self, shard_id: str, ticket: int) -> None:
        """The read that began at ``ticket`` reached the end of the shard, and everything up to there is applied and saved."""
        if ticket > self._began:
            self._read.add(shard_id)

    def may_be_complete(self, readers: int) -> bool:
        """Whether ``settle`` may count the round; cheap for any number of shards. ``readers``: how many unfinished shards are
        being read."""
        return self._listed >= self._began and len(self._read) >= readers

    def settle(self, unfinished: Collection[str], *, children_late: bool) -> None:
        """Count the round if it is complete, and begin the next. ``unfinished``: every known shard that isn't finished."""
        if children_late or self._listed < self._began:
            return
        if self._read.issuperset(unfinished):
            self.count += 1
            self._began = self.ticket()
            self._read.clear()
