"""Copies segments of a run, under one lease.

A page is copied in this order: read it consistently, transform it, insert each copy where its v2 key is free, and only when every
write is acknowledged (or its item is in quarantine) save how far the segment is.
"""

import asyncio
from contextlib import suppress
from dataclasses import asdict, dataclass
from random import Random
from typing import NoReturn

from backfill.budget import budget_of
from backfill.display import Display
from backfill.options import BackfillOptions
from backfill.progress import Progress
from backfill.records import BackfillRecords
from backfill.segments import BackfillRun, Outcomes, Segment, Spent, spent_in, unfinished
from backfill.share import Share
from backfill.throttle import ReadLimit, ThrottleWaits, WriteLimits
from backfill.window import FIRST_ITEMS, Window, next_size
from backfill.window_copier import RequestSlots, Target, WindowCopier
from service.config import Settings
from service.control.quarantine import Quarantine
from service.control.stores import Stores
from service.dynamodb.protocol import Fence
from service.errors import Interrupted, Paused, Retryable
from service.failpoints import failpoint
from service.tasks import task_group
from service.telemetry.metrics import Metrics
from service.telemetry.tracing import span

SCANS = 8
"""Segments copied at once. With the bound on a window this bounds the memory, however many segments the plan has."""
SHOW_SECONDS = 0.5
PULSE_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class BackfillContext:
    """What a backfill works with, whichever leases its workers take."""

    stores: Stores
    settings: Settings
    metrics: Metrics
    options: BackfillOptions
    display: Display
    stop: asyncio.Event
    """Set when the operator stops the backfill."""


class SegmentCopier:
    """Copies ``segments`` of ``run``, each from where its progress says."""

    def __init__(
        self,
        context: BackfillContext,
        records: BackfillRecords,
        fence: Fence,
        run: BackfillRun,
        segments: dict[int, Segment],
        share: Share,
    ) -> None:
        """``records`` and ``fence`` belong to the worker's lease; ``share`` is the worker's share of the operator's limits."""
        clock, options, settings = context.stores.clock, context.options, context.settings
        self._context = context
        self._stores = context.stores
        self._clock = clock
        self._records = records
        self._run = run
        self._share = share
        self.segments = segments
        waits = ThrottleWaits(clock, context.metrics.count_wait)
        self._budget = budget_of(settings, options)
        self.progress = Progress(clock, waits, run, dict(segments), self._budget)
        self._reads = ReadLimit(clock, waits, options.max_read_units or settings.max_read_units)
        self._writes = WriteLimits(clock, waits, options.max_write_units or settings.max_write_units)
        target = self._target(waits, fence)
        self._window_copier = WindowCopier(target, context.stores.mapping, Random(run.id), self._count)
        self._scans = asyncio.Semaphore(SCANS)
        self._window_items = FIRST_ITEMS

    def _target(self, waits: ThrottleWaits, fence: Fence) -> Target:
        stores, settings = self._stores, self._context.settings
        return Target(
            store=stores.store,
            quarantine=Quarantine(stores.control, stores.clock),
            limits=self._writes,
            waits=waits,
            slots=RequestSlots(waits, settings.backfill_concurrency),
            fence=fence,
            clock=stores.clock,
            patience_seconds=settings.retry_deadline_seconds,
        )

    async def copy_all(self) -> None:
        """Copy all segments to their end, and meanwhile show and save the progress.

        Raises Interrupted when the operator stops it, Paused when the budget of all workers is used up.
        """
        context = self._context
        try:
            await self._update_share()
            async with task_group() as tasks:
                beside = (_raise_when_stopped(context.stop), self._keep_saving_beats(), self._keep_showing())
                running = [tasks.create_task(coroutine) for coroutine in beside]
                await self._copy_segments()
                for task in running:
                    task.cancel()
        except Paused:
            await self.save_beat(ended=True)
            raise
        except _Stopped:
            await self.save_beat(ended=True)
            message = f"stopped on the way: {self.progress.snapshot().to_text()}"
            raise Interrupted(message, remedy=f"go on with: {context.options.command()}") from None
        finally:
            context.display.show(self.progress.snapshot())

    async def save_beat(self, *, ended: bool = False) -> None:
        """Save the progress once, for `status`. ``ended``: this worker has stopped."""
        with suppress(Retryable):  # a beat is for readers only; what is done is in the segments' records
            await self._records.save_beat(self.progress.beat(ended=ended))

    async def _copy_segments(self) -> None:
        async with task_group() as tasks:
            copies = [tasks.create_task(self._copy_segment(number)) for number in unfinished(self.segments)]
        if not all(copy.result() for copy in copies):
            raise self._budget.paused(self._spent(), self.progress.snapshot().to_text(), self._context.options)

    async def _keep_saving_beats(self) -> NoReturn:
        while True:
            await self.save_beat()
            await self._update_share()
            await self._clock.sleep(PULSE_SECONDS)

    async def _update_share(self) -> None:
        with suppress(Retryable):  # the share stays as it was, until the next beat
            await self._share.update()
        self._reads.take_share(self._share.fraction)
        self._writes.take_share(self._share.fraction)

    async def _keep_showing(self) -> NoReturn:
        while True:
            self._context.display.show(self.progress.snapshot())
            await self._clock.sleep(SHOW_SECONDS)

    def _count(self, outcomes: Outcomes) -> None:
        self.progress.acknowledged(outcomes)
        for outcome, items in asdict(outcomes).items():
            self._context.metrics.count_copies(outcome, items)

    def _spent(self) -> Spent:
        """By all workers of the run, as far as this one knows."""
        return spent_in(self.segments) + self._share.spent_elsewhere

    async def _copy_segment(self, number: int) -> bool:
        """Returns whether the segment is done: it is not when the budget is used up."""
        async with self._scans:
            while not self.segments[number].done and not self._budget.used_up(self._spent()):
                with span("backfill window", segment=number):
                    await self._copy_window(number)
        return self.segments[number].done

    async def _copy_window(self, number: int) -> None:
        window = await self._read_window(number)
        began = self._clock.monotonic()
        with span("backfill copy", segment=number, items=window.items):
            outcomes = await self._window_copier.copy(window)
        failpoint("window_copied")
        await self._save_segment(number, window, outcomes)
        self._window_items = next_size(window.items, self._clock.monotonic() - began)

    async def _read_window(self, number: int) -> Window:
        """The next pages of the segment, transformed."""
        window = Window(self._window_items, last_key=self.segments[number].last_key)
        mapping = self._stores.mapping
        while True:
            reserved = await self._reads.admit()
            with span("backfill page", segment=number):
                page = await self._stores.store.scan(
                    mapping.old.table,
                    segment=number,
                    segments=self._run.segments,
                    start=window.last_key,
                    limit=min(window.most, self._context.settings.page_items),
                )
            self._reads.settle(reserved, page.consumed_units)
            window.add(mapping, self._run.generation, page)
            if window.complete:
                return window

    async def _save_segment(self, number: int, window: Window, outcomes: Outcomes) -> None:
        """Save how far the segment is. Only to be called when all writes of ``window`` are acknowledged, never before."""
        segment = self.segments[number].after(outcomes, window.last_key, window.spent)
        await self._records.save_segment(number, segment)
        failpoint("segment_saved")
        self.segments[number] = segment
        self.progress.saved(number, segment)


class _Stopped(Exception):
    """The operator's stop event was set."""


async def _raise_when_stopped(stop: asyncio.Event) -> NoReturn:
    await stop.wait()
    raise _Stopped
