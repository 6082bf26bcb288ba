"""One shard that this worker has claimed: its pages come from a child, and are applied under the claim.

Reading, applying and saving are those of the embedded engine (``shard_reader``). Only the source of the pages is different: a
child delivers the next page once the service has answered that the one before is applied.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any

from service.control.claims import ClaimedShard
from service.core.item.change import Change
from service.core.shards import Position
from service.dynamodb.protocol import Fence, RecordsPage
from service.errors import Fenced, Trimmed
from service.streams.kcl.reports import ShardView
from service.streams.kcl.sink_slot import SinkSlot
from service.streams.requests import StreamRequests
from service.streams.shard_reader import EngineSettings, ReaderContext, ShardReader
from service.tasks import task_group

READ_AHEAD = 2
"""At most so many pages are read before the child has delivered the current one: one waits in the daemon's queue, and one in
the thread that reads, for room in the queue (deploy/kcl/README.md)."""

CONFIRMS_PER_TRUST = 3
"""How often a claim is confirmed in the time for which it is trusted."""

END_WAITS_SECONDS = (0.5, 1.0, 2.0, 4.0)
"""How long DescribeStream may take to list a shard as ended after GetRecords has reached its end."""

SILENT_SECONDS, SILENT_POLLS = 10.0, 5
"""A shard for which nothing was delivered for so long, or for so many polls, is not being read."""

DELIVERED = "delivered"
"""Stands for an iterator: the daemon has its own."""

MILLISECONDS = 1000


def wire_record(record: dict[str, Any]) -> dict[str, Any]:
    """The adapter's JSON in the form of a GetRecords answer.

    They differ in one thing: ApproximateCreationDateTime is in milliseconds. (An absent image is ``{}``; ``core.item.change``
    takes that for none.)
    """
    content = record["dynamodb"]
    created = content.get("ApproximateCreationDateTime")
    if created is None:
        return record
    return {**record, "dynamodb": {**content, "ApproximateCreationDateTime": created / MILLISECONDS}}


def after(records: Sequence[dict[str, Any]], sequence: str | None) -> list[dict[str, Any]]:
    """The records of one shard that come after ``sequence`` (None: all).

    KCL delivers from its own checkpoint, which may lie behind the saved position, and never lies beyond it.
    """
    if sequence is None:
        return list(records)
    last = int(sequence)
    return [record for record in records if int(record["dynamodb"]["SequenceNumber"]) > last]


def lower(first: str | None, second: str | None) -> str | None:
    """The lower of two sequence numbers of one shard; None when either is None."""
    return None if first is None or second is None else min(first, second, key=int)


@dataclass(frozen=True, slots=True)
class HeldShardContext:
    """What the shards of one stream share."""

    requests: StreamRequests
    slot: SinkSlot
    settings: EngineSettings
    applied: Callable[[float], None]
    """Called with the age in seconds of each change that has been applied."""
    trust_seconds: float
    """How long a confirmed claim is trusted."""
    rule_fence: Fence
    """Raises Fenced once the worker cannot know any more whether the rule that it applies is still in force."""


@dataclass(slots=True)
class _Delivery:
    """A page that a child has delivered."""

    page: RecordsPage
    done: asyncio.Future[None]
    """Set once the page is applied."""


class HeldShard:
    """Implements ``ShardPages``, ``SavedShards`` and ``ShardSink`` for one shard.

    ``child_waits``: whether the child waits for an answer. ``pages``: how many have been delivered. ``tip_page``: the number of
    the last page that showed that the shard is read to its end, with everything up to it applied and saved; 0 before the first.
    """

    def __init__(self, shard_id: str, claim: ClaimedShard, context: HeldShardContext) -> None:
        self.shard_id = shard_id
        self.table = context.requests.table
        self.child_waits = False
        self.pages = self.tip_page = 0
        self._claim = claim
        self._context = context
        self._retry = context.requests.retry
        self._clock = context.requests.retry.clock
        self._deliveries: asyncio.Queue[_Delivery] = asyncio.Queue(1)
        self._in_hand: _Delivery | None = None
        self._read_up_to = claim.position.sequence
        self._last_delivered: str | None = None
        self._checkpointed: str | None = None
        self._finished = asyncio.Event()
        self._delivered_at = deque([self._clock.now()] * (READ_AHEAD + 1), maxlen=READ_AHEAD + 1)
        self.reader = ShardReader(shard_id, self._reader_context())

    @property
    def known(self) -> dict[str, Position]:
        """The shard's position, as it is saved."""
        return {self.shard_id: self._claim.position}

    async def serve(self, answer_questions: Callable[[], Awaitable[None]]) -> None:
        """Apply what is delivered while ``answer_questions`` runs; when it returns, save what is applied.

        Raises Fenced when another worker has claimed the shard, and what ``ShardReader.run`` raises.
        """
        async with task_group() as tasks:
            reading = tasks.create_task(self._read_to_end())
            await answer_questions()
            reading.cancel()

    async def deliver(self, records: Sequence[dict[str, Any]]) -> str | None:
        """Return once ``records`` are applied: the sequence number that the child may checkpoint, or None for no more than
        before."""
        self.pages += 1
        self._delivered_at.append(self._clock.now())
        fresh = after(records, self._read_up_to)
        if records:
            self._last_delivered = records[-1]["dynamodb"]["SequenceNumber"]
        if fresh:
            self._read_up_to = self._last_delivered
        # Records that are applied already are not passed on as an empty page: that would look like the end of the shard.
        if not self._finished.is_set() and (fresh or not records):
            await self._put(RecordsPage([wire_record(record) for record in fresh], DELIVERED))
        return self.checkpoint()

    async def end(self) -> bool:
        """True once the shard's last record is applied and its end is saved. False: it has not ended.

        KCL takes a shard or a stream that is gone for one that has ended; this raises StreamGone then.
        """
        if self._finished.is_set():
            return True
        if not await self._has_ended():
            return False
        self._deliveries.put_nowait(_delivery(RecordsPage([], None)))
        await self._finished.wait()
        return True

    async def leave(self) -> str | None:
        """Save what is applied, between two pages; return the sequence number that the child may checkpoint."""
        await self.reader.save_applied()
        return self.checkpoint()

    def release(self) -> None:
        """Give up the page that is being applied, if there is one: ``deliver`` raises Fenced, and the next owner applies the
        page."""
        if self._in_hand is not None and self._is_applying():
            self._in_hand.done.set_exception(Fenced("this worker stops", remedy="nothing: the next owner goes on"))

    @property
    def delivered_at(self) -> float | None:
        """Epoch seconds of the last page; None while a page is being applied, because the child waits then."""
        return None if self._is_applying() else self._delivered_at[-1]

    def view(self, now: float) -> ShardView:
        """The state of the shard for this worker's report.

        A shard for which nothing was delivered for long is not at its end, whatever the last page showed: for an idle shard,
        empty pages are delivered.
        """
        lag, read_lag, as_of = self.reader.lag_seconds(now), self.reader.read_lag_seconds(now), self.reader.as_of
        silent_for = now - (self.delivered_at or now)
        if silent_for > max(SILENT_SECONDS, SILENT_POLLS * self._context.settings.poll_interval_seconds):
            lag = read_lag = max(lag, now - (as_of or self._delivered_at[-1]))
        return ShardView(self.pages, self.tip_page, lag, read_lag, as_of)

    def checkpoint(self) -> str | None:
        """The sequence number that the child may checkpoint: what is saved, of what it has delivered itself. None: no more than
        before."""
        reached = lower(self._claim.position.sequence, self._last_delivered)
        if reached == self._checkpointed:
            return None
        self._checkpointed = reached
        return reached

    async def open(self, shard_id: str, sequence: str | None) -> str:
        """Check that the position can still be read. Raises Trimmed, StreamGone."""
        await self._context.requests.open(shard_id, sequence)
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
        return self._context.requests.trimmed(why, shard_id)

    async def save(self, shard_id: str, position: Position) -> None:  # noqa: ARG002 (SavedShards names it)
        """Save a position, under the claim."""
        await self._retry(lambda: self._claim.save(position, self._context.rule_fence))

    async def apply(self, shard_id: str, changes: Sequence[Change]) -> None:
        """Have the current page applied under the claim, which is confirmed before and while that takes."""
        await self._claim.confirm()
        self._context.rule_fence()  # needed too if the sink writes nothing, because the position will be saved
        async with task_group() as tasks:
            confirming = tasks.create_task(self._confirm_regularly())
            await self._context.slot.apply(shard_id, changes, self._check_fences)
            confirming.cancel()
        assert self._in_hand is not None
        self._in_hand.done.set_result(None)

    def _is_applying(self) -> bool:
        return self._in_hand is not None and not self._in_hand.done.done()

    def _reader_context(self) -> ReaderContext:
        context = self._context
        return ReaderContext(
            requests=self,
            shards=self,
            sink=self,
            settings=context.settings,
            clock=self._clock,
            retry=self._retry,
            pages=asyncio.Semaphore(2),  # the page being applied, and the next one
            interval_seconds=0.0,  # the daemon sets the pace
            begin=self._begin,
            read_to_end=self._note_tip,
            applied=context.applied,
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
            described = await self._context.requests.describe()
            listed = {shard.shard_id: shard.ending for shard in described.shards}
            if self.shard_id not in listed:
                raise self._context.requests.gone("not listed any more although unread", self.shard_id)
            if listed[self.shard_id] is not None or seconds is None:
                break
            await self._clock.sleep(seconds)
        return listed[self.shard_id] is not None

    async def _confirm_regularly(self) -> None:
        while True:
            await self._clock.sleep(self._context.trust_seconds / CONFIRMS_PER_TRUST)
            await self._claim.confirm()

    def _check_fences(self) -> None:
        self._context.rule_fence()
        self._claim.check()

    def _begin(self) -> tuple[int, float]:
        # the next page may have been read while READ_AHEAD others were still to be delivered
        return 0, self._delivered_at[0]

    def _note_tip(self, shard_id: str, ticket: int) -> None:  # noqa: ARG002 (tickets order reads of one process)
        self.tip_page = self.pages - 1  # the next page may have been delivered while the position was being saved


def _delivery(page: RecordsPage) -> _Delivery:
    return _Delivery(page, asyncio.get_running_loop().create_future())
