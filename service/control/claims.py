"""Claims: which worker may apply a shard's changes when several workers share a stream.

A claim is a number on the shard's checkpoint in the control table. A worker that takes the shard over raises it. From then on
the worker before it can save no position, and one lease time later, by its own monotonic clock, it writes nothing more: it
trusts a claim only for that long after it last confirmed it. So the writer horizon holds for claims as it does for leases,
without a renewal for each of hundreds of idle shards.
"""

from collections.abc import Mapping

from service.clock import Clock
from service.control.checkpoints import CLAIMS_PER_OWNER, Checkpoint, Checkpoints
from service.control.table import ControlTable, Records
from service.core.shards import Position
from service.dynamodb.protocol import Fence
from service.errors import Fenced, Retryable


class SharedCheckpoints:
    """The positions of one stream, for workers that share it."""

    def __init__(
        self,
        control: ControlTable,
        stream_arn: str,
        mapping_hash: str,
        clock: Clock,
        trust_seconds: float,
        token: int = 0,
    ) -> None:
        """``trust_seconds``: how long a confirmed claim is trusted. ``token``: of the lane's lease if this worker holds it,
        else 0."""
        self._checkpoints = Checkpoints(control, stream_arn, mapping_hash, token)
        self._records = control.records(f"checkpoint#{stream_arn}", Checkpoint)
        self._mapping_hash = mapping_hash
        self._clock = clock
        self._trust_seconds = trust_seconds
        self._token = token

    async def load(self) -> Mapping[str, Position]:
        """The position of every known shard, parents first. Raises as ``Checkpoints.load`` does."""
        return await self._checkpoints.load()

    async def save(self, shard_id: str, position: Position) -> None:
        """Save the first position of a shard. If another worker has saved one already, that one stays."""
        await self._records.put(shard_id, Checkpoint(self._mapping_hash, position), None)

    async def forget(self, shard_id: str) -> None:
        """Delete the position of a finished shard that can't come back."""
        await self._records.forget(shard_id, (self._token + 1) * CLAIMS_PER_OWNER)

    async def claim(self, shard_id: str) -> "ClaimedShard | None":
        """Claim a shard, from another worker too. None: the shard is not known."""
        asked_at = self._clock.monotonic()
        stored = await self._records.claim(shard_id)
        if stored is None:
            return None
        trusted_until = asked_at + self._trust_seconds
        return ClaimedShard(
            self._records, shard_id, stored.value, stored.token, self._clock, self._trust_seconds, trusted_until
        )


class ClaimedShard:
    """One shard that this worker has claimed."""

    def __init__(
        self,
        records: Records[Checkpoint],
        shard_id: str,
        checkpoint: Checkpoint,
        token: int,
        clock: Clock,
        trust_seconds: float,
        trusted_until: float,
    ) -> None:
        self.position = checkpoint.position
        self._records = records
        self._shard_id = shard_id
        self._mapping_hash = checkpoint.mapping_hash
        self._token = token
        self._clock = clock
        self._trust_seconds = trust_seconds
        self._trusted_until = trusted_until
        self._lost: Fenced | None = None

    async def confirm(self) -> None:
        """Check that the claim stands, and trust it again. Raises Fenced when another worker has claimed the shard since."""
        asked_at = self._clock.monotonic()
        stored = await self._records.get(self._shard_id)
        if stored is None or stored.token != self._token:
            self._lose()
        self._trusted_until = asked_at + self._trust_seconds

    def check(self) -> None:
        """The fence. Raises Fenced when the claim is lost, Retryable when it must be confirmed first."""
        if self._lost is not None:
            raise self._lost.with_traceback(None)  # else it would grow with each check
        if self._clock.monotonic() >= self._trusted_until:
            raise Retryable(
                f"the claim on shard {self._shard_id} was not confirmed in time", reason="claim_unconfirmed"
            )

    async def save(self, position: Position, fence: Fence) -> None:
        """Save a position; it is acknowledged when this returns.

        Raises Fenced when another worker has claimed the shard, and what ``fence`` raises.
        """
        checkpoint = Checkpoint(self._mapping_hash, position)
        if not await self._records.save(self._shard_id, checkpoint, self._token, fence=fence):
            self._lose()
        self.position = position

    def _lose(self) -> None:
        self._lost = Fenced(
            f"another worker has claimed shard {self._shard_id}: this one writes nothing more of it",
            remedy="nothing: the other worker goes on with it",
        )
        raise self._lost
