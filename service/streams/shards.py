"""The shards of a stream with their positions: the first positions, those after a gap, and the known shards while the stream is
read.

``Shards`` keeps the known shards in step with DescribeStream, and saves every position before it counts as known.
"""

import asyncio
from collections.abc import Mapping
from functools import partial

from service.clock import Clock
from service.core.shards import (
    Listing,
    Position,
    after_gap,
    first_position,
    first_positions,
    forgettable,
    is_horizon_safe,
    new_shards,
    too_late_to_open,
    vanished,
    with_known_parents,
)
from service.dynamodb.protocol import StreamDescription, StreamStore
from service.errors import Retryable, StreamGone, Trimmed
from service.failpoints import failpoint
from service.streams.engine import Positions
from service.streams.requests import StreamRequests

LISTED_SECONDS = 60.0
"""How long a stream that was switched on just now may take to list its first shard."""

CONFIRM_SECONDS = 2.0
"""A listing can lag behind (the DynamoDB Streams Kinesis Adapter repairs such listings too). So a shard counts as vanished only
when a second listing, this much later, does not show it either."""

SHARDS_A_PAGE = 100
"""As many as DescribeStream lists at most in one answer (API reference, DescribeStream, Limit)."""

WHOLE_SECONDS_A_PAGE = 1.0
"""For each further page of a listing, the next whole one waits so much longer."""


class Shards:
    """Every known shard of one stream with its position. Only what is saved is known."""

    def __init__(self, requests: StreamRequests, positions: Positions) -> None:
        self.known: dict[str, Position] = {}
        self._requests = requests
        self._positions = positions
        self._retry = requests.retry
        self._adopting = asyncio.Lock()
        self._searching = asyncio.Lock()
        self._searches: set[str] = set()
        self._listings = 0
        self._newest: str | None = None
        self._known_before: Mapping[str, Position] = {}
        self._whole_due = 0.0

    async def load(self) -> None:
        """Load the saved positions."""
        self.known = dict(await self._retry(self._positions.load))

    async def save(self, shard_id: str, position: Position) -> None:
        """Save a position. Only then is it known."""
        failpoint("checkpoint_due")
        await self._retry(lambda: self._positions.save(shard_id, position))
        failpoint("checkpoint_saved")
        self.known[shard_id] = position

    async def look(self) -> bool:
        """List the shards if that is due, as ``refresh`` does: of a stream with many shards more seldom. Otherwise adopt what is
        listed after the newest shard. Returns whether every shard was listed."""
        if self._newest is None or self._retry.clock.monotonic() >= self._whole_due:
            await self.refresh()
            return True
        await self._refresh_new()
        return False

    async def refresh(self) -> None:
        """List the shards, adopt new ones and forget old ones. Raises StreamGone when an unread shard has vanished."""
        listed = await self._whole_listing()
        if vanished(self._known_before, listed):
            listed = await self._confirm_vanished()
        await self._adopt(listed)
        await self._forget(listed)

    async def refresh_children(self, shard_id: str) -> None:
        """Adopt the children of an ended shard, if they are listed yet. For many at once, one request lists all that is new."""
        before = self._listings
        self._searches.add(shard_id)
        try:
            async with self._searching:
                if self._listings > before:  # one that began after the question
                    return
                if self._newest is None or len(self._searches) == 1:
                    await self._adopt(listing_of(await self._requests.describe(children_of=shard_id)))
                else:
                    await self._refresh_new()
        finally:
            self._searches.discard(shard_id)

    def has_child(self, shard_id: str) -> bool:
        """Whether a child of the shard is known."""
        return any(position.parent_id == shard_id for position in self.known.values())

    async def _whole_listing(self) -> Listing:
        """Every listed shard. A listing of many pages takes long: a shard that is adopted meanwhile need not be in it."""
        before = set(self.known)
        described = await self._requests.describe()
        self._known_before = {shard_id: position for shard_id, position in self.known.items() if shard_id in before}
        self._note_newest(described)
        pages = len(described.shards) // SHARDS_A_PAGE
        self._whole_due = self._retry.clock.monotonic() + pages * WHOLE_SECONDS_A_PAGE
        return listing_of(described)

    async def _refresh_new(self) -> None:
        # DynamoDB does not promise in which order it lists shards: what this misses, the next whole listing shows.
        self._listings += 1
        described = await self._requests.describe(after=self._newest)
        self._note_newest(described)
        await self._adopt(with_known_parents(self.known, listing_of(described)))

    def _note_newest(self, described: StreamDescription) -> None:
        if described.shards:
            self._newest = described.shards[-1].shard_id

    async def _confirm_vanished(self) -> Listing:
        await self._retry.clock.sleep(CONFIRM_SECONDS)
        listed = await self._whole_listing()
        lost = vanished(self._known_before, listed)
        if lost:
            raise self._requests.gone("not listed any more although unread", lost[0])
        return listed

    async def _adopt(self, listed: Listing) -> None:
        # One at a time: two listings with the same new shard must not save its start over its progress.
        async with self._adopting:
            for shard_id in new_shards(self.known, listed):
                await self.save(shard_id, first_position(self.known, listed[shard_id], self._retry.clock.now()))

    async def _forget(self, listed: Listing) -> None:
        for shard_id in forgettable(self.known, listed, self._retry.clock.now()):
            await self._retry(partial(self._positions.forget, shard_id))
            del self.known[shard_id]


async def described_stream(store: StreamStore, arn: str, clock: Clock) -> StreamDescription:
    """The stream's listing, once it has a shard: one that was missing at the start would seem to have begun when it is listed.

    Raises StreamGone when there is no such stream, and Retryable when it has no shard for LISTED_SECONDS.
    """
    until = clock.monotonic() + LISTED_SECONDS
    while not (described := await store.describe_stream(arn)).shards:
        if clock.monotonic() >= until:
            raise Retryable(f"stream {arn} lists no shard", reason="stream_starting", remedy="run the command again")
        await clock.sleep(1.0)
    return described


async def initial_positions(store: StreamStore, arn: str, clock: Clock) -> dict[str, Position]:
    """The trim horizon of every shard that exists, parents first (save them in this order). Raises as ``described_stream`` does."""
    return first_positions(listing_of(await described_stream(store, arn, clock)), clock.now())


async def positions_after_gap(
    store: StreamStore, arn: str, known: Mapping[str, Position], *, now: float
) -> dict[str, Position]:
    """The positions that replace ``known`` (all of it) once the operator accepts that changes are lost.

    Asks DynamoDB which positions are trimmed. The tables must be repaired afterwards. For a changed ARN there is nothing to
    keep: take ``initial_positions`` of the new one. Raises StreamGone when there is no such stream.
    """
    listed = listing_of(await store.describe_stream(arn))
    trimmed = [s for s in listed if s in known and await _is_trimmed(store, arn, s, known, now)]
    return after_gap(known, listed, trimmed, now)


async def _is_trimmed(store: StreamStore, arn: str, shard_id: str, known: Mapping[str, Position], now: float) -> bool:
    position = known[shard_id]
    if position.state == "finished" or position.sequence is None:
        return too_late_to_open(known, shard_id, now) and position.state == "reading"
    try:
        await store.shard_iterator(arn, shard_id, "AFTER_SEQUENCE_NUMBER", position.sequence)
    except Trimmed:
        return not is_horizon_safe(position.as_of, now)
    except StreamGone:
        return True
    return False


def listing_of(described: StreamDescription) -> Listing:
    """The parents of the shards of ``described``, by shard id."""
    return {shard.shard_id: shard.parent_id for shard in described.shards}
