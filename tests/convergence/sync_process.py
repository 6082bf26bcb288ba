"""A sync process in steps: reads the stream, applies it by the real rules, saves positions, purges tombstones.

The order of its awaits is that of the engine and the sink; service.core decides about items.
"""

from collections.abc import Sequence
from dataclasses import replace

from service.core import shards as lineage
from service.core.item.change import Change, parse_record
from service.core.rules import guarded as apply_rule
from service.core.shards import Position
from service.dynamodb.protocol import IteratorType
from tests.convergence.invariants import Violated
from tests.convergence.trampoline import turn
from tests.convergence.world import World


class SyncProcess:
    """Owner number ``number``. It is superseded once a newer one exists: then it still writes, but cannot save any more."""

    def __init__(self, world: World, number: int) -> None:
        self.world = world
        self.number = number
        self.known: dict[str, Position] = dict(world.positions)
        self.rounds = 0
        self._quiet_from: int | None = None
        self._taken: dict[str, int] = {}
        self._at_end: set[str] = set()
        self._iterators: dict[str, str] = {}

    @property
    def superseded(self) -> bool:
        return self.world.owner != self.number

    async def run(self) -> None:
        """Read until everything is applied and saved; a superseded process notices, or dies, at any time."""
        while not (self.superseded and self.world.rng.random() < 0.1):
            open_shards = [shard for shard in self.known if lineage.may_open(self.known, shard)]
            if not open_shards or self._at_end.issuperset(open_shards):
                await self.discover()
                if self._drained():
                    return
                continue
            await self.read(self.world.rng.choice(open_shards))

    async def discover(self) -> None:
        """Find new shards. A round is complete when no shard is new and every open one was at its end."""
        described = await self.world.memory.describe_stream(self.world.arn)
        listed = {shard.shard_id: shard.parent_id for shard in described.shards}
        fresh = lineage.new_shards(self.known, listed)
        for shard_id in fresh:
            await self.save(shard_id, Position(parent_id=listed[shard_id]))
        # A superseded process's saves are refused, so what it has applied does not count as checkpointed.
        if not fresh and not self.superseded:
            self.rounds += 1
        self._at_end.clear()

    def _drained(self) -> bool:
        """Whether everything has been read to the end twice since all other actors ended."""
        if self.world.draining and self._quiet_from is None:
            self._quiet_from = self.rounds
        return self._quiet_from is not None and self.rounds >= self._quiet_from + 2

    async def read(self, shard_id: str) -> None:
        """Read one page of a shard, and apply it before its position is saved."""
        iterator = self._iterators.get(shard_id) or await self._open(shard_id)
        page = await self.world.memory.get_records(iterator, self.world.rng.choice((1, 2, 3)))
        if not page.records:
            self._at_end.add(shard_id)
        table = self.world.mapping.old.table
        changes = [parse_record(record, table=table, shard_id=shard_id) for record in page.records]
        await self.take(shard_id, changes, finished=page.next_iterator is None)
        if page.next_iterator is not None:
            self._iterators[shard_id] = page.next_iterator

    async def take(self, shard_id: str, changes: Sequence[Change], *, finished: bool) -> None:
        """I4: the effects, then the position."""
        self._check_order(changes)
        await self.apply(changes)
        await self.advance(shard_id, changes, finished=finished)

    def _check_order(self, changes: Sequence[Change]) -> None:
        """One engine passes on each key's changes in order, through splits too (the ledger rule depends on it)."""
        for change in changes:
            before = self._taken.get(str(change.key), 0)
            if int(change.sequence) <= before:
                raise Violated(f"order: change {change.sequence} of {change.key} comes after {before}")
            self._taken[str(change.key)] = int(change.sequence)

    async def apply(self, changes: Sequence[Change]) -> None:
        """Every change of the batch, coalesced per key, by guarded puts."""
        for key in {str(change.key): change.key for change in changes}.values():
            run = [change for change in changes if change.key == key]
            for write in apply_rule.change_writes(self.world.mapping, run, self.world.generation):
                await self.world.memory.write(write)

    async def advance(self, shard_id: str, changes: Sequence[Change], *, finished: bool) -> None:
        """Save how far the shard is applied."""
        position = self.known[shard_id]
        if changes:
            position = replace(position, sequence=changes[-1].sequence)
        if finished:
            position = replace(position, state="finished")
        if position != self.known[shard_id]:
            await self.save(shard_id, position)

    async def save(self, shard_id: str, position: Position) -> None:
        """Save a position. A superseded process's save is refused; in the worst case, which this is, it continues all the same."""
        await turn()
        self.known[shard_id] = position
        if not self.superseded:
            self.world.positions[shard_id] = position

    async def _open(self, shard_id: str) -> str:
        sequence = self.known[shard_id].sequence
        kind: IteratorType = "TRIM_HORIZON" if sequence is None else "AFTER_SEQUENCE_NUMBER"
        return await self.world.memory.shard_iterator(self.world.arn, shard_id, kind, sequence)
