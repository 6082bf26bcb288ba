"""When a shard that another process reads has been read to its end since a moment: what the rounds of several workers rest on.

The reader counts the pages that it is delivered, and says at which of them it last was at the end. A look at that proves
nothing by itself: it may have been written before the look began, and pages are read ahead. So a shard counts as read to its
end since a ticket was drawn once the second share after the one then seen has been read (it was measured after that moment), and
the end has been seen at a page beyond all those that may have been read ahead by then.
"""

from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from service.control.hearing import SAID_SINCE
from service.streams.kcl.held_shard import READ_AHEAD
from service.streams.kcl.reports import HeldView, Share

WATCHES = 16
"""Of one shard at once. One that is far behind needs no more."""


@dataclass(slots=True)
class _Watch:
    """One shard at one worker, since a ticket was drawn with the share ``number`` in view. page: the first that was surely read
    since; None: not known yet."""

    ticket: int
    number: int
    page: int | None = None


class Evidence:
    """Follows the shares. Every look begins a watch of every shard, so that none has to wait for the one before."""

    def __init__(self) -> None:
        self._watches: dict[tuple[str, str], deque[_Watch]] = {}

    def note(self, ticket: int, shares: Mapping[str, Share]) -> Iterator[tuple[str, int]]:
        """Take ``shares`` into account, which were read after ``ticket`` was drawn: every shard that has been read to its end, and
        since which ticket at least."""
        seen = {(worker, shard): share for worker, share in shares.items() for shard in share.shards}
        self._watches = {one: self._watches.get(one, deque(maxlen=WATCHES)) for one in seen}
        for (worker, shard), share in seen.items():
            watches = self._watches[worker, shard]
            since = _settled(watches, share, share.shards[shard])
            if since is not None:
                yield shard, since
            if len(watches) < WATCHES:
                watches.append(_Watch(ticket, share.number))


def _settled(watches: deque[_Watch], share: Share, view: HeldView) -> int | None:
    """The newest ticket whose watch is over. What a worker that has begun anew says is no evidence for what was asked before."""
    if watches and (share.number < watches[0].number or view.pages < (watches[0].page or 0) - READ_AHEAD - 1):
        watches.clear()
    for watch in watches:
        if watch.page is None and share.number >= watch.number + SAID_SINCE:
            watch.page = view.pages + READ_AHEAD + 1
    since = None
    while watches and watches[0].page is not None and view.tip_page >= watches[0].page:
        since = watches.popleft().ticket
    return since
