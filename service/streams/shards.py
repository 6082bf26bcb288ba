"""The shards of a stream as the engine knows them, kept in step with DescribeStream and saved."""

import asyncio
from functools import partial

from service.clock import Clock
from service.core.shards import Listing, Position, forgettable, new_shards, vanished
from service.dynamodb.protocol import StreamDescription
from service.streams.engine import Positions
from service.streams.requests import StreamRequests
from service.streams.retry import StreamRetry

CONFIRM_SECONDS = 2.0
"""A listing can lag behind (the DynamoDB Streams Kinesis Adapter repairs such listings too): a shard
counts as vanished only when a second look, this much later, does not show it either."""


class Shards:
    """Every known shard of one stream with its position. Only what is saved is known."""

    def __init__(self, requests: StreamRequests, positions: Positions, clock: Clock, patience: StreamRetry) -> None:
        self.known: dict[str, Position] = {}
        self._requests = requests
        self._positions = positions
        self._clock = clock
        self._patience = patience
        self._adopting = asyncio.Lock()

    async def load(self) -> None:
        """Take up the saved positions."""
        self.known = dict(await self._patience(self._positions.load))

    async def save(self, shard_id: str, position: Position) -> None:
        """Save a position, then know it."""
        await self._patience(lambda: self._positions.save(shard_id, position))
        self.known[shard_id] = position

    async def look(self) -> None:
        """Adopt new shards and forget old ones. Raises StreamGone when an unread shard has vanished."""
        listed = _listing(await self._requests.describe())
        if vanished(self.known, listed):
            listed = await self._look_again()
        await self._adopt(listed)
        await self._forget(listed)

    async def look_for_children(self, shard_id: str) -> None:
        """Adopt the children of an ended shard, if they are listed yet."""
        await self._adopt(_listing(await self._requests.describe(children_of=shard_id)))

    def has_child(self, shard_id: str) -> bool:
        """Whether a child of the shard is known."""
        return any(position.parent_id == shard_id for position in self.known.values())

    async def _look_again(self) -> Listing:
        await self._clock.sleep(CONFIRM_SECONDS)
        listed = _listing(await self._requests.describe())
        lost = vanished(self.known, listed)
        if lost:
            raise self._requests.gone("not listed any more although unread", lost[0])
        return listed

    async def _adopt(self, listed: Listing) -> None:
        # One at a time: two looks that find the same new shard must not save its start over its progress.
        async with self._adopting:
            for shard_id in new_shards(self.known, listed):
                await self.save(shard_id, Position(listed[shard_id], as_of=self._clock.now()))

    async def _forget(self, listed: Listing) -> None:
        for shard_id in forgettable(self.known, listed, self._clock.now()):
            await self._patience(partial(self._positions.forget, shard_id))
            del self.known[shard_id]


def _listing(described: StreamDescription) -> Listing:
    return {shard.shard_id: shard.parent_id for shard in described.shards}
