"""One worker's walk over segments of a run, which a lease makes its own.

A page is copied in this order: read consistently, transform, insert where the v2 key is free, and only when every write is
acknowledged (or its item is in quarantine) save how far the segment is.
"""

import asyncio
from contextlib import suppress
from dataclasses import asdict, dataclass
from random import Random
from typing import NoReturn

from backfill.budget import budget_of
from backfill.copier import Copier, RequestSlots, Target
from backfill.display import Display
from backfill.options import BackfillOptions
from backfill.progress import Progress
from backfill.records import BackfillRecords
from backfill.segments import BackfillRun, Outcomes, Segment, Spent, spent_in, unfinished
from backfill.share import Share
from backfill.throttle import ReadLimit, ThrottleWaits, WriteLimits
from backfill.window import FIRST_ITEMS, Window, next_size
from service.clock import Clock
from service.config import Settings
from service.control.quarantine import Quarantine
from service.control.table import ControlTable
from service.core.mapping.mapping import Mapping
from service.dynamodb.protocol import Fence, ItemStore
from service.errors import Interrupted, Paused, Retryable
from service.metrics import Metrics
from service.tasks import task_group

SCANS = 8
"""Segments walked at once. With the window this bounds the memory, however many segments the plan has."""
SHOW_SECONDS = 0.5
PULSE_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class WalkParts:
    """What a walk is made of, whichever lease it is made under."""

    store: ItemStore
    control: ControlTable
    mapping: Mapping
    settings: Settings
    clock: Clock
    metrics: Metrics
    options: BackfillOptions
    display: Display
    stop: asyncio.Event


class Walk:
    """A walk over ``segments`` of ``run``; they say where each stands.

    ``records`` and ``fence`` are the lease's; ``share`` says which part of the operator's limits is this worker's.
    """

    def __init__(
        self,
        parts: WalkParts,
        records: BackfillRecords,
        fence: Fence,
        run: BackfillRun,
        segments: dict[int, Segment],
        share: Share,
    ) -> None:
        clock = parts.clock
        self._parts = parts
        self._records = records
        self._run = run
        self._share = share
        self.segments = segments
        waits = ThrottleWaits(clock, parts.metrics.count_wait)
        self._budget = budget_of(parts.settings, parts.options)
        self.progress = Progress(clock, waits, run, dict(segments), self._budget)
        self._reads = ReadLimit(clock, waits, parts.options.max_read_units or parts.settings.max_read_units)
        self._writes = WriteLimits(clock, waits, parts.options.max_write_units or parts.settings.max_write_units)
        self._copier = Copier(self._target(waits, fence), parts.mapping, Random(run.id), self._count)
        self._scans = asyncio.Semaphore(SCANS)
        self._window_items = FIRST_ITEMS

    def _target(self, waits: ThrottleWaits, fence: Fence) -> Target:
        parts = self._parts
        return Target(
            store=parts.store,
            quarantine=Quarantine(parts.control, parts.clock),
            limits=self._writes,
            turns=RequestSlots(waits, parts.settings.backfill_concurrency),
            fence=fence,
            clock=parts.clock,
            patience_seconds=parts.settings.retry_deadline_seconds,
        )

    async def to_the_end(self) -> None:
        """Copy all segments, while progress is shown and saved. Raises Interrupted when the operator stops it, Paused when the
        budget of all workers is used up."""
        parts = self._parts
        try:
            await self._look()
            async with task_group() as tasks:
                beside = (_stopped(parts.stop), self._pulse_forever(), self._show_forever())
                running = [tasks.create_task(one) for one in beside]
                await self._all_segments()
                for task in running:
                    task.cancel()
        except Paused:
            await self.save_pulse(ended=True)
            raise
        except _Stop:
            await self.save_pulse(ended=True)
            told = f"stopped on the way: {self.progress.snapshot().to_text()}"
            raise Interrupted(told, remedy=f"go on with: {parts.options.command()}") from None
        finally:
            parts.display.show(self.progress.snapshot())

    async def save_pulse(self, *, ended: bool = False) -> None:
        """Save the progress once, for `status`. ``ended``: this walk is over."""
        with suppress(Retryable):  # only for whoever looks, and the segments' records say what is done
            await self._records.save_pulse(self.progress.pulse(ended=ended))

    async def _all_segments(self) -> None:
        async with task_group() as tasks:
            walked = [tasks.create_task(self._segment(number)) for number in unfinished(self.segments)]
        if not all(task.result() for task in walked):
            raise self._budget.paused(self._spent(), self.progress.snapshot().to_text(), self._parts.options)

    async def _pulse_forever(self) -> NoReturn:
        while True:
            await self.save_pulse()
            await self._look()
            await self._parts.clock.sleep(PULSE_SECONDS)

    async def _look(self) -> None:
        with suppress(Retryable):  # the share stays as it was, until the next pulse
            await self._share.look()
        self._reads.take_share(self._share.now)
        self._writes.take_share(self._share.now)

    async def _show_forever(self) -> NoReturn:
        while True:
            self._parts.display.show(self.progress.snapshot())
            await self._parts.clock.sleep(SHOW_SECONDS)

    def _count(self, outcomes: Outcomes) -> None:
        self.progress.acknowledged(outcomes)
        for outcome, items in asdict(outcomes).items():
            self._parts.metrics.count_copies(outcome, items)

    def _spent(self) -> Spent:
        """By all workers of the run, as far as is known here."""
        return spent_in(self.segments) + self._share.spent_elsewhere

    async def _segment(self, number: int) -> bool:
        """Returns whether it is done: not, when the budget is used up."""
        async with self._scans:
            while not self.segments[number].done and not self._budget.used_up(self._spent()):
                window = await self._read(number)
                began = self._parts.clock.monotonic()
                outcomes = await self._copier.copy(window)
                await self._acknowledge(number, window, outcomes)
                self._window_items = next_size(window.items, self._parts.clock.monotonic() - began)
        return self.segments[number].done

    async def _read(self, number: int) -> Window:
        """The next pages of the segment, transformed."""
        window = Window(self._window_items, last_key=self.segments[number].last_key)
        mapping = self._parts.mapping
        while True:
            reserved = await self._reads.admit()
            page = await self._parts.store.scan(
                mapping.old.table,
                segment=number,
                segments=self._run.segments,
                start=window.last_key,
                limit=min(window.most, self._parts.settings.page_items),
            )
            self._reads.settle(reserved, page.consumed_units)
            window.add(mapping, self._run.generation, page)
            if window.complete:
                return window

    async def _acknowledge(self, number: int, window: Window, outcomes: Outcomes) -> None:
        """Save how far the segment is; called when all writes of ``window`` are acknowledged, and never before."""
        segment = self.segments[number].after(outcomes, window.last_key, window.spent)
        await self._records.save_segment(number, segment)
        self.segments[number] = segment
        self.progress.saved(number, segment)


class _Stop(Exception):
    """The operator's stop event was set."""


async def _stopped(stop: asyncio.Event) -> NoReturn:
    await stop.wait()
    raise _Stop
