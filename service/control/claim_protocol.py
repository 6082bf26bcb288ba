"""What the engine needs of a shard that several workers may read in turn: a claim, which the next worker's supersedes.

KCL decides who reads a shard, by its leases. A worker that has lost one may not know it yet, and its child may have a batch in
hand: so the worker claims the shard in the control table too, and writes only while its claim stands.
"""

from collections.abc import Mapping
from typing import Protocol

from service.core.shards import Position
from service.dynamodb.protocol import Fence


class Claim(Protocol):
    """One shard, claimed by this worker."""

    position: Position
    """As it was saved last."""

    async def confirm(self) -> None:
        """See that the claim stands: it is trusted for a lease time from before the look. Raises Fenced when another worker has
        claimed the shard since."""

    def check(self) -> None:
        """The fence. Return while the claim can be trusted. Raises Fenced when it is lost, Retryable when it must be confirmed
        first."""

    async def save(self, position: Position, fence: Fence) -> None:
        """Acknowledged when it returns. Raises Fenced when another worker has claimed the shard, and what ``fence`` raises."""


class Claims(Protocol):
    """The positions of one stream, for workers that share it. Implemented by ``service.control.claims``."""

    async def load(self) -> Mapping[str, Position]:
        """Every known shard of the stream."""

    async def save(self, shard_id: str, position: Position) -> None:
        """Save the first position of a shard, unless another worker was faster: then its position stands."""

    async def forget(self, shard_id: str) -> None:
        """Drop a finished shard that can't come back."""

    async def claim(self, shard_id: str) -> Claim | None:
        """Claim a shard, over whoever has it. None: it is not known."""
