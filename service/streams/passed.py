"""Reads the open shards of a stream before the first Scan, without applying anything: what was read needs no replay.

``service.core.shards.start_positions`` says why. How far a shard is read decides only how much is replayed, never whether
something is lost: the time and the number of shards read at once are limited.
"""

import asyncio
import contextlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from service.clock import Clock
from service.core.shards import Passed, Position, start_positions
from service.dynamodb.protocol import IteratorType, RecordsPage, StreamStore
from service.errors import IteratorExpired, Retryable, StreamGone, Trimmed
from service.streams.shards import described_stream, listing_of
from service.streams.tip import Tip
from service.tasks import task_group

PASS_SECONDS = 60.0
"""No further page is requested later than this. Five hundred quiet shards take about 40 s."""

SHARDS_AT_ONCE = 32
"""So many pages of at most 1 MB are in memory."""


@dataclass(frozen=True, slots=True)
class StreamStart:
    """Where reading a stream starts, and what of the time before is replayed."""

    positions: dict[str, Position]
    """By shard id, parents first: save them in this order."""
    open_shards: int
    replayed_shards: int
    """So many of the open shards may hold records of before the start that are applied all the same."""

    @property
    def closed_shards(self) -> int:
        """Shards that were closed before the start; none of their records is applied, unless their parents are open."""
        return len(self.positions) - self.open_shards

    def to_json(self) -> dict[str, int]:
        """The numbers of shards."""
        return {
            "open_shards": self.open_shards,
            "closed_shards": self.closed_shards,
            "replayed_shards": self.replayed_shards,
        }

    def to_text(self) -> str:
        """One line."""
        shards = f"{self.open_shards} open and {self.closed_shards} closed shards"
        if not self.replayed_shards:
            return f"of {shards} no change of before now is replayed: the copy has them all"
        return f"of {shards} {self.replayed_shards} may replay changes of before now, which the copy has too"


async def stream_start(
    store: StreamStore, arn: str, clock: Clock, interval_seconds: float, *, read_open: bool = True
) -> StreamStart:
    """Where to start reading the stream of a table of which nothing has been scanned yet.

    ``interval_seconds``: at least this much time between two reads of a shard. ``read_open``: whether to read open shards; a
    stream that was switched on just now has nothing of before the start. Raises as ``described_stream`` does.
    """
    described = await described_stream(store, arn, clock)
    closed = {shard.shard_id for shard in described.shards if shard.ending is not None}
    listed = listing_of(described)
    unread = [shard_id for shard_id in listed if shard_id not in closed]
    passes = _Passes(store, arn, clock, interval_seconds)
    if read_open:
        await passes.read(unread)
    positions = start_positions(listed, closed, passes.passed, clock.now())
    replayed = [s for s in unread if not _is_passed_over(positions[s], passes.passed.get(s))] if read_open else []
    return StreamStart(positions, len(unread), len(replayed))


def _is_passed_over(position: Position, passed: Passed | None) -> bool:
    return position.state == "finished" or (
        passed is not None and passed.at_tip and passed.sequence == position.sequence
    )


class _Passes:
    def __init__(self, store: StreamStore, arn: str, clock: Clock, interval_seconds: float) -> None:
        self.passed: dict[str, Passed] = {}
        self._store = store
        self._arn = arn
        self._clock = clock
        self._interval = interval_seconds
        self._until = clock.monotonic() + PASS_SECONDS
        self._slots = asyncio.Semaphore(SHARDS_AT_ONCE)

    async def read(self, shard_ids: Sequence[str]) -> None:
        """Read each shard as far as time allows."""
        async with task_group() as tasks:
            for shard_id in shard_ids:
                tasks.create_task(self._read_shard(shard_id))

    async def _read_shard(self, shard_id: str) -> None:
        async with self._slots:
            # What has been read by then stands; the rest is replayed.
            with contextlib.suppress(IteratorExpired, Trimmed, StreamGone, Retryable):
                # A busy shard shows where it ends without being read whole; a quiet one shows nothing from LATEST.
                await self._follow(shard_id, "LATEST")
                if self.passed[shard_id].sequence is None and not self.passed[shard_id].ended:
                    await self._follow(shard_id, "TRIM_HORIZON")

    async def _follow(self, shard_id: str, kind: IteratorType) -> None:
        self.passed[shard_id] = Passed()
        iterator: str | None = await self._store.shard_iterator(self._arn, shard_id, kind)
        tip = Tip()
        while iterator is not None and not tip.reached and self._clock.monotonic() < self._until:
            began = self._clock.now()
            page = await self._store.get_records(iterator)
            tip.note(page, began)
            self.passed[shard_id] = _further(self.passed[shard_id], page, began if tip.reached else None)
            iterator = page.next_iterator
            await self._clock.sleep(self._interval)


def _further(before: Passed, page: RecordsPage, tip_at: float | None) -> Passed:
    """``tip_at``: when the request of a page began that reached the tip; None: it did not."""
    passed = replace(before, ended=page.next_iterator is None, at_tip=tip_at is not None)
    if page.records:
        last: dict[str, Any] = page.records[-1]["dynamodb"]  # type: ignore[assignment]  # wire form
        passed = replace(passed, sequence=last["SequenceNumber"], as_of=last.get("ApproximateCreationDateTime"))
    return passed if tip_at is None else replace(passed, as_of=tip_at)
