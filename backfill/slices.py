"""A run in slices, which the jobs of an array share: each takes its own slice first, then those that nobody works at.

A slice whose job was lost is taken over when its lease has run out; a job that was started again goes on with its own, or
with whatever is left.
"""

from collections.abc import Iterator
from contextlib import AsyncExitStack

from backfill.leases import JobLeases
from backfill.records import BackfillRecords
from backfill.segments import BackfillRun, Outcomes, Segment, total, unfinished
from backfill.share import EqualShare
from backfill.walk import Walk, WalkParts
from service.dynamodb.protocol import Fence
from service.errors import Refused


class Slices:
    """One worker's part in ``run``. outcomes: of the slices that it has walked to the end, by number."""

    def __init__(self, parts: WalkParts, claims: JobLeases, run: BackfillRun) -> None:
        self._parts = parts
        self._claims = claims
        self._run = run
        self._records = BackfillRecords(parts.control)
        self.outcomes: dict[int, Outcomes] = {}

    async def copy(self, first: int) -> None:
        """Walk slice ``first`` and then all that are free; returns when every slice is done or another worker's.

        Raises as ``Walk.to_the_end`` and a lease do.
        """
        while any([await self._try(number) for number in self._in_order(first)]):
            pass  # while it walked, another may have been lost

    async def left(self) -> list[int]:
        """The slices that are not done; none of a run that has finished, whose records may by now be those of the next."""
        run = await self.run_under_way(self._records)
        if run is None or run.finished_at is not None:
            return []
        to_walk = set(unfinished(await self._records.segments(self._run)))
        return [number for number in range(self._run.slices) if to_walk.intersection(self._run.slice(number))]

    def _in_order(self, first: int) -> Iterator[int]:
        """Each job begins its search elsewhere."""
        return ((first + step) % self._run.slices for step in range(self._run.slices))

    async def _try(self, number: int) -> bool:
        """Walk the slice. False: it is done, or another worker is at it."""
        if number not in await self.left():
            return False
        async with AsyncExitStack() as stack:
            try:
                lease = await stack.enter_async_context(self._claims.slice(number))
            except Refused:
                return False
            await self._walk(number, lease.check)
        return True

    async def run_under_way(self, records: BackfillRecords) -> BackfillRun | None:
        """The run as it is stored now; None when another was begun since."""
        latest = await records.run()
        return latest if latest is not None and latest.id == self._run.id else None

    async def _walk(self, number: int, fence: Fence) -> None:
        async with self._claims.in_turn() as turn:
            fence()  # a worker that was superseded while it waited gets no newer token than its successor
            records = BackfillRecords(self._parts.control, turn.token, number)
            segments = await self._made_own(number, records)
        walk = Walk(self._parts, records, fence, self._run, segments, EqualShare(records, self._run, self._parts.clock))
        await walk.to_the_end()
        await walk.save_pulse(ended=True)
        self.outcomes[number] = total(walk.segments)

    async def _made_own(self, number: int, records: BackfillRecords) -> dict[int, Segment]:
        """The segments of the slice, saved once more with this worker's token: from now on nobody else can say that they are
        done, and so nobody can close the run, before they are walked. Nothing when the run is finished.

        Otherwise the run could be closed by a late word of whoever walked the slice before, tombstones purged, and an item that
        this worker has read before its removal be copied after that.
        """
        run = await self.run_under_way(records)
        if run is None or run.finished_at is not None:
            return {}
        found = await records.segments(run)
        segments = {segment: found[segment] for segment in run.slice(number)}
        for segment in unfinished(segments):
            await records.save_segment(segment, segments[segment])
        return segments
