"""Checkpoints: how far each shard of a stream is applied. They are kept in the control table."""

from collections.abc import Iterable, Mapping

from pydantic import ConfigDict
from pydantic.dataclasses import dataclass

from service.control.table import ControlTable
from service.core.shards import Position, parents_first
from service.errors import Fatal, Fenced

CLAIMS_PER_OWNER = 1_000_000
"""Room between the tokens of two successive holders of a lane's lease, for the claims of single shards
(``service.control.claims``).

The next holder of the lease reads every shard, so its token is above all claims. While one worker holds the lease, no shard is
claimed so often.
"""


@dataclass(frozen=True, slots=True, config=ConfigDict(extra="forbid", defer_build=True))
class Checkpoint:
    """A shard's position, and the hash of the mapping by which everything up to it was applied."""

    mapping_hash: str
    position: Position


class Checkpoints:
    """Implements ``streams.engine.Positions``.

    Once a newer holder of the lease has saved a position, an older one can no longer move it. Until then a position may go
    back: the newer holder replays. It never goes beyond what was applied.
    """

    def __init__(self, control: ControlTable, stream_arn: str, mapping_hash: str, token: int = 0) -> None:
        """``token``: of the lease that this worker holds."""
        self._records = control.records(f"checkpoint#{stream_arn}", Checkpoint)
        self._arn = stream_arn
        self._mapping_hash = mapping_hash
        self._token = token * CLAIMS_PER_OWNER

    async def load(self) -> Mapping[str, Position]:
        """The position of every known shard, parents first.

        Raises Fatal when a position was saved under another mapping, or is damaged.
        """
        saved = {name: stored.value for name, stored in (await self._records.all()).items()}
        for shard_id, checkpoint in saved.items():
            if checkpoint.mapping_hash != self._mapping_hash:
                raise Fatal(
                    f"shard {shard_id} of {self._arn} was read with mapping {checkpoint.mapping_hash}, "
                    f"not {self._mapping_hash}",
                    remedy="set TABLESPLIT_MAPPING back to the mapping that the migration was begun with",
                )
        parents = {shard_id: checkpoint.position.parent_id for shard_id, checkpoint in saved.items()}
        return {shard_id: saved[shard_id].position for shard_id in parents_first(parents)}

    async def adopt(self) -> int:
        """Save every position again under this mapping, whatever mapping it was saved under; return how many there are.

        For changing the mapping while nobody reads. Raises Fenced as ``save`` does.
        """
        saved = await self._records.all()
        for shard_id, stored in saved.items():
            await self.save(shard_id, stored.value.position)
        return len(saved)

    async def save(self, shard_id: str, position: Position) -> None:
        """Save a position; it is acknowledged when this returns. Raises Fenced when a newer owner has saved the shard since."""
        if not await self._records.save(shard_id, Checkpoint(self._mapping_hash, position), self._token):
            raise self._fenced(shard_id)

    async def forget(self, shard_id: str) -> None:
        """Delete the position of a finished shard that can't come back. Raises Fenced as ``save`` does."""
        if not await self._records.forget(shard_id, self._token):
            raise self._fenced(shard_id)

    def _fenced(self, shard_id: str) -> Fenced:
        return Fenced(
            f"a newer owner of the stream has saved shard {shard_id} of {self._arn}: this worker writes nothing more",
            remedy="start the command again: it continues from the position of the newer owner",
        )


async def takeovers(control: ControlTable, stream_arns: Iterable[str]) -> frozenset[tuple[str, int]]:
    """Every shard of the streams that a worker has claimed from another worker, with its token.

    Each such claim changes the set.
    """
    claimed = set()
    for arn in stream_arns:
        saved = await control.records(f"checkpoint#{arn}", Checkpoint).all()
        claimed |= {
            (f"{arn}/{name}", stored.token) for name, stored in saved.items() if stored.token % CLAIMS_PER_OWNER > 1
        }
    return frozenset(claimed)
