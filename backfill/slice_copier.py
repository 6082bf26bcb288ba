"""Copies slices of a run that the jobs of an array share: each job its own slice first, then those that no job is copying.

The slice of a lost job is taken over when its lease has expired. A job that is started again resumes its own slice, or takes
any slice that is left.
"""

from collections.abc import Iterator
from contextlib import AsyncExitStack

from backfill.leases import JobLeases
from backfill.records import BackfillRecords
from backfill.segment_copier import BackfillContext, SegmentCopier
from backfill.segments import BackfillRun, Outcomes, Segment, total, unfinished
from backfill.share import EqualShare
from service.dynamodb.protocol import Fence
from service.errors import Refused


class SliceCopier:
    """One job's part in ``run``."""

    def __init__(self, context: BackfillContext, leases: JobLeases, run: BackfillRun) -> None:
        self._context = context
        self._leases = leases
        self._run = run
        self._records = BackfillRecords(context.stores.control)
        self.outcomes: dict[int, Outcomes] = {}
        """Of the slices that this job has copied to their end, by number."""

    async def copy(self, first: int) -> None:
        """Copy slice ``first``, and then all slices that are free; return when each slice is done or held by another job.

        Raises what ``SegmentCopier.copy_all`` and a lease raise.
        """
        while any([await self._try_copy(number) for number in self._in_order(first)]):
            pass  # while this job was copying, another job may have been lost

    async def slices_left(self) -> list[int]:
        """The slices that are not done; none when the run has finished, since the records may then be those of the next run."""
        run = await self.run_under_way(self._records)
        if run is None or run.finished_at is not None:
            return []
        open_segments = set(unfinished(await self._records.segments(self._run)))
        return [number for number in range(self._run.slices) if open_segments.intersection(self._run.slice(number))]

    def _in_order(self, first: int) -> Iterator[int]:
        """All slices. Each job begins with another one."""
        return ((first + step) % self._run.slices for step in range(self._run.slices))

    async def _try_copy(self, number: int) -> bool:
        """Copy the slice. False: it is done, or held by another job."""
        if number not in await self.slices_left():
            return False
        async with AsyncExitStack() as stack:
            try:
                lease = await stack.enter_async_context(self._leases.slice(number))
            except Refused:
                return False
            await self._copy_slice(number, lease.check)
        return True

    async def run_under_way(self, records: BackfillRecords) -> BackfillRun | None:
        """The run as it is stored now; None when a newer run was begun since."""
        latest = await records.run()
        return latest if latest is not None and latest.id == self._run.id else None

    async def _copy_slice(self, number: int, fence: Fence) -> None:
        control, clock = self._context.stores.control, self._context.stores.clock
        async with self._leases.whole_backfill_in_turn() as lease:
            fence()  # a worker that was superseded while it waited must not get a newer token than its successor
            records = BackfillRecords(control, lease.token, number)
            segments = await self._take_segments(number, records)
        share = EqualShare(records, self._run, clock)
        copier = SegmentCopier(self._context, records, fence, self._run, segments, share)
        await copier.copy_all()
        await copier.save_beat(ended=True)
        self.outcomes[number] = total(copier.segments)

    async def _take_segments(self, number: int, records: BackfillRecords) -> dict[int, Segment]:
        """The segments of the slice, saved again with this worker's token. Nothing when the run has finished.

        From then on no earlier worker can record them as done, so nobody can close the run before they are copied. Otherwise
        a late save of the slice's earlier worker could close the run; tombstones would be purged; and this worker could copy an
        item that it had read before the item was deleted, after its tombstone is gone.
        """
        run = await self.run_under_way(records)
        if run is None or run.finished_at is not None:
            return {}
        all_segments = await records.segments(run)
        segments = {segment: all_segments[segment] for segment in run.slice(number)}
        for segment in unfinished(segments):
            await records.save_segment(segment, segments[segment])
        return segments
