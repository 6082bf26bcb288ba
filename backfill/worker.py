"""The backfill: copies the old table into the v2 tables, once, segment by segment, resumable from any page.

A page is copied in this order: read consistently, transform, insert where the v2 key is free, and only when every write is
acknowledged (or its item is in quarantine) save how far the segment is.
"""

import asyncio
from contextlib import suppress
from dataclasses import asdict, dataclass
from random import Random
from typing import NoReturn

from backfill.copier import Copier, Target, Turns
from backfill.display import Display
from backfill.options import BackfillOptions
from backfill.progress import Progress
from backfill.records import BackfillRecords
from backfill.report import BackfillReport
from backfill.run import Migration, Opened, close_run, open_run
from backfill.segments import Outcomes, total, unfinished
from backfill.throttle import ReadLimit, Waits, WriteLimits
from backfill.window import FIRST_ITEMS, Window, next_size
from service.clock import Clock
from service.config import Settings
from service.control_table import ControlTable
from service.core.mapping import Mapping
from service.dynamodb.protocol import ItemStore
from service.errors import Interrupted, Retryable
from service.leases import Lease
from service.metrics import Metrics
from service.quarantine import Quarantine
from service.tasks import task_group

LEASE = "backfill"
SCANS = 8
"""Segments walked at once. With the window this bounds the memory, however many segments the plan has."""
SHOW_SECONDS = 0.5
PULSE_SECONDS = 2.0


async def run_backfill(
    store: ItemStore,
    control: ControlTable,
    mapping: Mapping,
    settings: Settings,
    clock: Clock,
    metrics: Metrics,
    *,
    options: BackfillOptions,
    stop: asyncio.Event,
    display: Display,
    estimate: int | None = None,
) -> BackfillReport:
    """Copy what is not copied yet. ``estimate``: the old table's item count as DescribeTable gives it.

    Raises Interrupted when ``stop`` is set (progress is saved; the remedy goes on), Refused while another backfill
    runs, Misconfigured before the migration is started, Fenced when the lease is lost.
    """
    async with Lease.try_acquire(control, LEASE, options.owner, clock, settings) as lease:
        migration = Migration(control, mapping, clock, lease.check)
        records = BackfillRecords(control, lease.token)
        opened = await open_run(migration, records, options, settings.segments, estimate)
        if opened.run.finished_at is not None:
            return BackfillReport(opened.run, total(opened.segments), already_finished=True)
        parts = Parts(store, migration, records, settings, metrics, options)
        walk = Walk(parts, opened)
        await _watched(walk, display, stop, options.command())
        run = await close_run(migration, records, opened.run)
    return BackfillReport(run, total(walk.segments), resumed=opened.resumed, note=opened.note)


@dataclass(frozen=True, slots=True)
class Parts:
    """What a walk is made of."""

    store: ItemStore
    migration: Migration
    records: BackfillRecords
    settings: Settings
    metrics: Metrics
    options: BackfillOptions


class Walk:
    """One worker's walk over the segments of a run. ``segments``: where each stands."""

    def __init__(self, parts: Parts, opened: Opened) -> None:
        clock = self.clock = parts.migration.clock
        self._parts = parts
        self._run = opened.run
        self.segments = opened.segments
        waits = Waits(clock, parts.metrics.count_wait)
        self.progress = Progress(clock, waits, opened.run, dict(opened.segments))
        read_units = parts.options.max_read_units or parts.settings.max_read_units
        self._reads = ReadLimit(clock, waits, read_units)
        self._copier = Copier(self._target(waits), parts.migration.mapping, Random(opened.run.id), self._count)
        self._scans = asyncio.Semaphore(SCANS)
        self._window_items = FIRST_ITEMS

    def _target(self, waits: Waits) -> Target:
        parts = self._parts
        write_units = parts.options.max_write_units or parts.settings.max_write_units
        return Target(
            store=parts.store,
            quarantine=Quarantine(parts.migration.control, self.clock),
            limits=WriteLimits(self.clock, waits, write_units),
            turns=Turns(waits, parts.settings.backfill_concurrency),
            fence=parts.migration.fence,
            clock=self.clock,
            patience_seconds=parts.settings.retry_deadline_seconds,
        )

    async def all_segments(self) -> None:
        """Returns once every segment is done."""
        async with asyncio.TaskGroup() as tasks:
            for number in unfinished(self.segments):
                tasks.create_task(self._segment(number))

    async def pulse_forever(self) -> NoReturn:
        """Save the progress for `status`, every few seconds."""
        while True:
            await self.save_pulse()
            await self.clock.sleep(PULSE_SECONDS)

    async def save_pulse(self, *, ended: bool = False) -> None:
        """Save the progress once. ``ended``: this worker stops."""
        with suppress(Retryable):  # only for whoever looks, and the segments' records say what is done
            await self._parts.records.save_pulse(self.progress.pulse(ended=ended))

    def _count(self, outcomes: Outcomes) -> None:
        self.progress.acknowledged(outcomes)
        for outcome, items in asdict(outcomes).items():
            self._parts.metrics.count_copies(outcome, items)

    async def _segment(self, number: int) -> None:
        async with self._scans:
            while not self.segments[number].done:
                window = await self._read(number)
                began = self.clock.monotonic()
                outcomes = await self._copier.copy(window)
                await self._acknowledge(number, window, outcomes)
                self._window_items = next_size(window.items, self.clock.monotonic() - began)

    async def _read(self, number: int) -> Window:
        """The next pages of the segment, transformed."""
        window = Window(self._window_items, last_key=self.segments[number].last_key)
        mapping = self._parts.migration.mapping
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
        segment = self.segments[number].after(outcomes, window.last_key)
        await self._parts.records.save_segment(number, segment)
        self.segments[number] = segment
        self.progress.saved(number, segment)


async def _watched(walk: Walk, display: Display, stop: asyncio.Event, remedy: str) -> None:
    """Walk to the end while progress is shown and saved. Raises Interrupted when ``stop`` is set."""
    try:
        async with task_group() as tasks:
            beside = (_stopped(stop), walk.pulse_forever(), _show_forever(walk, display))
            running = [tasks.create_task(one) for one in beside]
            await walk.all_segments()
            for task in running:
                task.cancel()
    except _Stop:
        await walk.save_pulse(ended=True)
        told = f"stopped on the way: {walk.progress.snapshot().to_text()}"
        raise Interrupted(told, remedy=f"go on with: {remedy}") from None
    finally:
        display.show(walk.progress.snapshot())


class _Stop(Exception):
    """The operator's stop event was set."""


async def _stopped(stop: asyncio.Event) -> NoReturn:
    await stop.wait()
    raise _Stop


async def _show_forever(walk: Walk, display: Display) -> NoReturn:
    while True:
        display.show(walk.progress.snapshot())
        await walk.clock.sleep(SHOW_SECONDS)
