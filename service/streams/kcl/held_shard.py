"""One shard that this worker has claimed: its pages come from a child, and are applied under the claim.

Reading, applying and saving are those of the embedded engine (``shard_reader``). Only where a page comes from is different: the
next one is delivered once the child has been told that the one before is applied.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any

from service.clock import Clock
from service.control.claims import Claim
from service.core.item.change import Change
from service.core.shards import Position
from service.dynamodb.protocol import Fence, RecordsPage
from service.errors import Fenced, Trimmed
from service.streams.kcl.reports import HeldView
from service.streams.kcl.sink_slot import SinkSlot
from service.streams.requests import StreamRequests
from service.streams.retry import StreamRetry
from service.streams.shard_reader import EngineSettings, ReaderContext, ShardReader
from service.tasks import task_group

MILLISECONDS = 1000


def wire_record(record: dict[str, Any]) -> dict[str, Any]:
    """The adapter's JSON as GetRecords answers it. They differ in one thing: ApproximateCreationDateTime is in milliseconds.
    (An absent image is ``{}``; ``core.change`` takes that for none.)"""
    content = record["dynamodb"]
    created = content.get("ApproximateCreationDateTime")
    if created is None:
        return record
    return {**record, "dynamodb": {**content, "ApproximateCreationDateTime": created / MILLISECONDS}}


def after(records: Sequence[dict[str, Any]], sequence: str | None) -> list[dict[str, Any]]:
    """The records of one shard that come after ``sequence`` (None: all). KCL delivers from its own checkpoint, which may lie
    behind the saved position, never beyond it."""
    if sequence is None:
        return list(records)
    last = int(sequence)
    return [record for record in records if int(record["dynamodb"]["SequenceNumber"]) > last]


def lower(one: str | None, other: str | None) -> str | None:
    """The lower of two sequence numbers of one shard; None when either is."""
    return None if one is None or other is None else min(one, other, key=int)


READ_AHEAD = 2
"""So many pages at most are read before the child has handed over the one in hand: one waits in the daemon's queue, and one at the
thread that reads, for room in it (deploy/kcl/README.md)."""

CONFIRMS_PER_TRUST = 3

END_WAITS_SECONDS = (0.5, 1.0, 2.0, 4.0)
"""How long DescribeStream may take to list a shard as ended that GetRecords says has ended."""

SILENT_SECONDS, SILENT_POLLS = 10.0, 5
"""A shard that has been delivered nothing for so long, or so many polls, is being read by nobody."""

DELIVERED = "delivered"
"""Stands for an iterator: the daemon has its own."""


@dataclass(frozen=True, slots=True)
class ShardParts:
    """What the shards of one stream share. trust_seconds: how long a confirmed claim is trusted. standing: raises Fenced once the
    worker cannot know any more whether the rule that it works by is in force."""

    requests: StreamRequests
    slot: SinkSlot
    settings: EngineSettings
    clock: Clock
    patience: StreamRetry
    applied: Callable[[float], None]
    trust_seconds: float
    standing: Fence


@dataclass(slots=True)
class _Delivery:
    """A page, and whether it is applied."""

    page: RecordsPage
    done: asyncio.Future[None]


class HeldShard:
    """Implements ``ShardPages``, ``SavedShards`` and ``ShardSink`` for one shard.

    asked: whether its child waits for an answer. pages: how many have been delivered. tip_page: the number of the last one that
    showed that the shard is read to its end, with everything up to it applied and saved; 0 before.
    """

    def __init__(self, shard_id: str, claim: Claim, parts: ShardParts) -> None:
        self.shard_id = shard_id
        self.table = parts.requests.table
        self.asked = False
        self.pages = self.tip_page = 0
        self._claim = claim
        self._parts = parts
        self._deliveries: asyncio.Queue[_Delivery] = asyncio.Queue(1)
        self._in_hand: _Delivery | None = None
        self._reached = claim.position.sequence
        self._brought: str | None = None
        self._told: str | None = None
        self._finished = asyncio.Event()
        self._delivered_at = deque([parts.clock.now()] * (READ_AHEAD + 1), maxlen=READ_AHEAD + 1)
        self.reader = ShardReader(shard_id, self._lane())

    @property
    def known(self) -> dict[str, Position]:
        """The shard's position, as it is saved."""
        return {self.shard_id: self._claim.position}

    async def serve(self, conversation: Callable[[], Awaitable[None]]) -> None:
        """Apply what ``conversation`` delivers until it ends; then what is applied is saved. Raises Fenced when another worker has
        claimed the shard, and what ``ShardReader.run`` raises."""
        async with task_group() as tasks:
            reading = tasks.create_task(self._read_to_end())
            await conversation()
            reading.cancel()

    async def deliver(self, records: Sequence[dict[str, Any]]) -> str | None:
        """Return once ``records`` are applied: how far the child may checkpoint, None for no further than before."""
        self.pages += 1
        self._delivered_at.append(self._parts.clock.now())
        fresh = after(records, self._reached)
        if records:
            self._brought = records[-1]["dynamodb"]["SequenceNumber"]
        if fresh:
            self._reached = self._brought
        # A page of what is applied already says nothing about the end of the shard: as an empty one it would.
        if not self._finished.is_set() and (fresh or not records):
            await self._put(RecordsPage([wire_record(record) for record in fresh], DELIVERED))
        return self.checkpoint()

    async def end(self) -> bool:
        """True once the shard's last record is applied and its end is saved. False: it has not ended.

        KCL takes a shard, or a stream, that is gone for one that has ended: raises StreamGone then.
        """
        if self._finished.is_set():
            return True
        if not await self._has_ended():
            return False
        self._deliveries.put_nowait(_delivery(RecordsPage([], None)))
        await self._finished.wait()
        return True

    async def leave(self) -> str | None:
        """Save what is applied, between two pages; how far the child may checkpoint."""
        await self.reader.save_applied()
        return self.checkpoint()

    def release(self) -> None:
        """Give the page in hand up, if there is one: ``deliver`` raises Fenced, the next owner applies it."""
        if self._in_hand is not None and self._is_applying():
            self._in_hand.done.set_exception(Fenced("this worker stops", remedy="nothing: the next one goes on"))

    @property
    def delivered_at(self) -> float | None:
        """Epoch seconds of the last page; None while one is being applied, since then the child waits."""
        return None if self._is_applying() else self._delivered_at[-1]

    def view(self, now: float) -> HeldView:
        """How it stands. One that is delivered nothing for long is not at its end, whatever the last page has shown: an idle shard
        is delivered empty pages."""
        lag, read_lag, as_of = self.reader.lag_seconds(now), self.reader.read_lag_seconds(now), self.reader.as_of
        silent_for = now - (self.delivered_at or now)
        if silent_for > max(SILENT_SECONDS, SILENT_POLLS * self._parts.settings.poll_interval_seconds):
            lag = read_lag = max(lag, now - (as_of or self._delivered_at[-1]))
        return HeldView(self.pages, self.tip_page, lag, read_lag, as_of)

    def checkpoint(self) -> str | None:
        """How far the child may checkpoint: what is saved, of what it has brought itself. None: no further than before."""
        reached = lower(self._claim.position.sequence, self._brought)
        if reached == self._told:
            return None
        self._told = reached
        return reached

    async def open(self, shard_id: str, sequence: str | None) -> str:
        """See that the position can still be read. Raises Trimmed, StreamGone."""
        await self._parts.requests.open(shard_id, sequence)
        return DELIVERED

    async def read(self, shard_id: str, iterator: str) -> RecordsPage:  # noqa: ARG002 (ShardPages names them)
        """The next page that the child delivers."""
        delivery = await self._deliveries.get()
        if delivery.page.records:
            self._in_hand = delivery
        else:
            delivery.done.set_result(None)
        return delivery.page

    def trimmed(self, why: str, shard_id: str | None = None) -> Trimmed:
        """The error for unread changes that are too old to be read."""
        return self._parts.requests.trimmed(why, shard_id)

    async def save(self, shard_id: str, position: Position) -> None:  # noqa: ARG002 (SavedShards names it)
        """Save a position, under the claim."""
        await self._parts.patience(lambda: self._claim.save(position, self._parts.standing))

    async def apply(self, shard_id: str, changes: Sequence[Change]) -> None:
        """Have the page in hand applied, under the claim, which is seen to stand before and meanwhile."""
        await self._claim.confirm()
        self._parts.standing()  # also where the sink writes nothing, but the position will be saved
        async with task_group() as tasks:
            keeping = tasks.create_task(self._keep_claim())
            await self._parts.slot.apply(shard_id, changes, self._check)
            keeping.cancel()
        assert self._in_hand is not None
        self._in_hand.done.set_result(None)

    def _is_applying(self) -> bool:
        return self._in_hand is not None and not self._in_hand.done.done()

    def _lane(self) -> ReaderContext:
        parts = self._parts
        return ReaderContext(
            requests=self,
            shards=self,
            sink=self,
            settings=parts.settings,
            clock=parts.clock,
            patience=parts.patience,
            pages=asyncio.Semaphore(2),  # the one in hand, and the one that is waited for
            interval_seconds=0.0,  # the daemon's pace it is
            begin=self._begin,
            read_to_end=self._count_tip,
            applied=parts.applied,
        )

    async def _read_to_end(self) -> None:
        if self._claim.position.state == "reading":
            await self.reader.run()
        self._finished.set()

    async def _put(self, page: RecordsPage) -> None:
        delivery = _delivery(page)
        await self._deliveries.put(delivery)
        await delivery.done

    async def _has_ended(self) -> bool:
        for seconds in (*END_WAITS_SECONDS, None):
            described = await self._parts.requests.describe()
            listed = {shard.shard_id: shard.ending for shard in described.shards}
            if self.shard_id not in listed:
                raise self._parts.requests.gone("not listed any more although unread", self.shard_id)
            if listed[self.shard_id] is not None or seconds is None:
                break
            await self._parts.clock.sleep(seconds)
        return listed[self.shard_id] is not None

    async def _keep_claim(self) -> None:
        while True:
            await self._parts.clock.sleep(self._parts.trust_seconds / CONFIRMS_PER_TRUST)
            await self._claim.confirm()

    def _check(self) -> None:
        self._parts.standing()
        self._claim.check()

    def _begin(self) -> tuple[int, float]:
        # the page that comes next may have been read while READ_AHEAD others were still to be handed over
        return 0, self._delivered_at[0]

    def _count_tip(self, shard_id: str, ticket: int) -> None:  # noqa: ARG002 (tickets order reads of one process)
        self.tip_page = self.pages - 1  # the next one may have been delivered while this one was being saved


def _delivery(page: RecordsPage) -> _Delivery:
    return _Delivery(page, asyncio.get_running_loop().create_future())
