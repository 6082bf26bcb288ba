"""The census: what all workers of a lane have read together, as the one that holds the lane's lease sees it.

It lists the shards, adopts new ones, and fails closed for all when unread ones are gone: KCL itself would go on.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from service.clock import Clock
from service.core.lineage import RETENTION_SECONDS, Position, awaiting_children, may_open
from service.streams.discovery import Shards
from service.streams.engine import EngineSnapshot
from service.streams.kcl.evidence import Evidence
from service.streams.kcl.lease_table import LeaseTable
from service.streams.kcl.shares import SHARE_SECONDS, HeldView, Share, Shares, share_name
from service.streams.patience import Patience
from service.streams.rounds import Rounds
from service.tasks import task_group


@dataclass(frozen=True, slots=True)
class CountedStream:
    """One stream that is counted, with KCL's lease table of it."""

    table: str
    shards: Shards
    leases: LeaseTable


class Census:
    """Counts until cancelled."""

    def __init__(
        self,
        streams: Sequence[CountedStream],
        shares: Shares,
        clock: Clock,
        patience: Patience,
        discovery_seconds: float,
    ) -> None:
        self._counts = [_StreamCount(stream, clock, patience) for stream in streams]
        self._shares = shares
        self._clock = clock
        self._patience = patience
        self._discovery_seconds = discovery_seconds

    async def begin(self) -> None:
        """Bring KCL's lease tables to the saved positions. Before any worker's daemon is started, unless it runs already. Raises
        Refused when a lease table is another's, Trimmed or StreamGone when unread changes are gone."""
        for count in self._counts:
            await count.begin()

    async def run(self) -> None:
        """Count. Raises Fatal when going on could skip a record (I5)."""
        async with task_group() as tasks:
            tasks.create_task(self._list())
            tasks.create_task(self._count())

    def snapshot(self) -> EngineSnapshot:
        """Where all workers stand together."""
        seen = [count.snapshot() for count in self._counts]
        return EngineSnapshot(
            shards_reading=sum(one.shards_reading for one in seen),
            shards_finished=sum(one.shards_finished for one in seen),
            rounds=min((one.rounds for one in seen), default=0),
            lag_seconds=max((one.lag_seconds for one in seen), default=0.0),
            retention_headroom_seconds=min((one.retention_headroom_seconds for one in seen), default=RETENTION_SECONDS),
            shards_waiting=sum(one.shards_waiting for one in seen),
            read_lag_seconds=max((one.read_lag_seconds for one in seen), default=0.0),
        )

    async def _list(self) -> None:
        while True:
            for count in self._counts:
                await count.look()
            await self._clock.sleep(self._discovery_seconds)

    async def _count(self) -> None:
        while True:
            tickets = [count.ticket() for count in self._counts]
            shares = await self._patience(self._shares.heard)
            for count, ticket in zip(self._counts, tickets, strict=True):
                count.note(ticket, shares)
            await self._clock.sleep(SHARE_SECONDS)


class _StreamCount:
    """One stream's part of the census."""

    def __init__(self, stream: CountedStream, clock: Clock, patience: Patience) -> None:
        self._stream = stream
        self._clock = clock
        self._patience = patience
        self._rounds = Rounds()
        self._evidence = Evidence()
        self._views: dict[str, HeldView] = {}

    def ticket(self) -> int:
        """To be drawn right before the shares are read."""
        return self._rounds.ticket()

    async def begin(self) -> None:
        leases, shards = self._stream.leases, self._stream.shards
        rows = await self._patience(leases.rows)
        await shards.load()
        await shards.look()
        await self._patience(lambda: leases.follow(rows, shards.known))

    async def look(self) -> None:
        """List the shards once more; what other workers have saved since counts too."""
        ticket = self._rounds.ticket()
        shards = self._stream.shards
        before = set(shards.known)
        await shards.load()
        await shards.look()
        for shard_id in shards.known.keys() - before:
            await self._patience(partial(self._stream.leases.add, shard_id, shards.known[shard_id]))
        self._rounds.looked(ticket)

    def note(self, ticket: int, shares: Mapping[str, Share]) -> None:
        """Take the workers' shares into account, which were read after ``ticket`` was drawn."""
        mine = {worker: _of(self._stream.table, share) for worker, share in shares.items()}
        self._views = {shard_id: view for share in mine.values() for shard_id, view in share.shards.items()}
        for shard_id, since in self._evidence.note(ticket, mine):
            self._rounds.read_to_end(shard_id, since)
        known = self._stream.shards.known
        self._rounds.settle(_unfinished(known), children_late=bool(awaiting_children(known, self._clock.now())))

    def snapshot(self) -> EngineSnapshot:
        """Where the stream stands. A shard that nobody holds lags as long as it is known to be unread."""
        now, known = self._clock.now(), self._stream.shards.known
        unfinished = _unfinished(known)
        views = {shard_id: self._views[shard_id] for shard_id in unfinished if shard_id in self._views}
        read_up_to = [views[s].as_of if s in views else known[s].as_of for s in unfinished]
        behind = max((now - moment for moment in read_up_to if moment is not None), default=0.0)
        unheld = [shard_id for shard_id in unfinished if shard_id not in views]
        waiting = [now - (known[s].as_of or now) for s in (*unheld, *awaiting_children(known, now))]
        return EngineSnapshot(
            shards_reading=len(unfinished),
            shards_finished=len(known) - len(unfinished),
            rounds=self._rounds.count,
            lag_seconds=max([0.0, *waiting, *(view.lag_seconds for view in views.values())]),
            retention_headroom_seconds=RETENTION_SECONDS - behind,
            shards_waiting=sum(not may_open(known, shard_id) for shard_id in unfinished),
            read_lag_seconds=max([0.0, *waiting, *(view.read_lag_seconds for view in views.values())]),
        )


def _of(table: str, share: Share) -> Share:
    """The shards of one table's stream, by their ids."""
    prefix = share_name(table, "")
    shards = {name.removeprefix(prefix): view for name, view in share.shards.items() if name.startswith(prefix)}
    return Share(share.number, share.said_at, shards)


def _unfinished(known: Mapping[str, Position]) -> list[str]:
    return [shard_id for shard_id, position in known.items() if position.state == "reading"]
