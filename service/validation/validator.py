"""Validation: walk both sides, compare, look again at what differs, repair it if asked, and report."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Iterable
from contextlib import AbstractAsyncContextManager, ExitStack
from dataclasses import dataclass
from random import Random
from typing import Any

from service.clock import Clock
from service.config import Settings
from service.control.conflicts import Conflicts
from service.control.leases import Lease
from service.control.ledger import ledger_id
from service.control.quarantine import Quarantine
from service.control.repairs import registered
from service.control.table import ControlTable
from service.core.mapping.mapping import Mapping
from service.core.rules.verdict import Kind, Pair
from service.dynamodb.protocol import Fence, ItemStore
from service.errors import Interrupted, Misconfigured
from service.metrics import Metrics
from service.sync.redrive import Redriver
from service.tasks import task_group
from service.validation.difference_file import DifferenceFile
from service.validation.indexes import IndexChecks
from service.validation.options import ValidationOptions
from service.validation.progress import ValidationProgress
from service.validation.reader import ReadBudget, Reader
from service.validation.recheck import Recheck
from service.validation.repair import Mend, Repair, by_redriving, by_writing_v2
from service.validation.report import Report, instant
from service.validation.run import ValidationRun, close_run, open_run
from service.validation.sample import sample
from service.validation.segment import SegmentWalker, Settlement
from service.validation.waits import Settled, Waits
from service.validation.walks import ComparisonWalk, OldWalk, V2Walk

LEASE = "validation"

Permitted = Callable[[], Awaitable[None]]


async def validate(
    store: ItemStore,
    control: ControlTable,
    mapping: Mapping,
    settings: Settings,
    clock: Clock,
    metrics: Metrics,
    *,
    options: ValidationOptions,
    stop: asyncio.Event,
    settled: Settled | None = None,
    permitted: Permitted | None = None,
) -> Report:
    """Compare the old table with the v2 tables, and repair what differs if ``options`` say so.

    Runs while writes go on: a difference counts only when it outlasts ``settle_seconds`` and, where given,
    ``settled``, which returns once the sync has applied all that was in the stream when it was called.
    Without it ``settle_seconds`` must exceed the lag. ``permitted`` is asked before each cycle of repairs, and raises
    when there may be no more.

    Raises Interrupted when ``stop`` is set (progress is saved; the remedy goes on), Refused when another
    validation runs or there is nothing to resume, Misconfigured for an unknown entity, Fatal when the output
    file cannot be written.
    """
    _check(mapping, options)
    parts = _Parts(store, control, mapping, settings, clock, metrics, options, Waits(clock, stop), settled, permitted)
    async with Lease.try_acquire(control, LEASE, options.owner, clock, settings) as lease:
        return await _run(parts, lease)


@dataclass(frozen=True, slots=True)
class _Parts:
    """What a run is made of, and what makes its parts."""

    store: ItemStore
    control: ControlTable
    mapping: Mapping
    settings: Settings
    clock: Clock
    metrics: Metrics
    options: ValidationOptions
    waits: Waits
    settled: Settled | None
    permitted: Permitted | None

    @property
    def segments(self) -> int:
        """Scan segments of each table."""
        return self.options.segments or self.settings.segments

    @property
    def question(self) -> str:
        """What is asked, for telling whether an unfinished run asks the same."""
        return self.options.question(self.mapping.hash, self.segments)

    def reader(self) -> Reader:
        budget = ReadBudget(self.clock, self.waits, self.metrics, self.options.max_read_units)
        both_ways = self.options.both_ways
        return Reader(self.store, self.mapping, budget, self.settings.page_items, both_ways=both_ways)

    def settlement(self, reader: Reader) -> Settlement:
        recheck = Recheck(
            self.waits,
            self.clock,
            settle_seconds=self.settings.settle_seconds,
            timeout_seconds=self.settings.settle_timeout_seconds,
            settled=self.settled,
        )
        return Settlement(recheck, self.set_aside, self.repair(reader) if self.options.repair else None)

    def repair(self, reader: Reader) -> Repair:
        return Repair(reader, self.waits, self.registered, self.mend())

    def mend(self) -> Mend:
        if not self.options.both_ways:
            return by_writing_v2(self.store, self.mapping)
        redriver = Redriver(self.store, Conflicts(self.control), self.mapping, self.clock)
        return by_redriving(redriver.redrive, self.mapping)

    def registered(self) -> AbstractAsyncContextManager[Fence]:
        # A cycle writes for one lease time, as a worker does after its last renewal: the writer horizon, which adds the longest
        # request, covers both alike.
        seconds = self.settings.lease_seconds
        return registered(self.control, self.clock, self.options.owner, seconds, permitted=self.permitted)

    async def set_aside(self, place: Pair) -> Kind | None:
        quarantine, old_table = Quarantine(self.control, self.clock), self.mapping.old.table
        for table, key in ((old_table, place.old_key), (place.table, place.v2_key)):
            if table is not None and key is not None and await quarantine.holds(table, key):
                return Kind.QUARANTINED
        if place.old_key is None or not self.options.both_ways:
            return None
        return Kind.HELD if await Conflicts(self.control).is_held(ledger_id(old_table, place.old_key)) else None


async def _run(parts: _Parts, lease: Lease) -> Report:
    """Open or go on with a run, walk, report, close."""
    run = await open_run(parts.control, lease.token, parts.options, parts.question, parts.clock.now())
    ledger = await ValidationProgress.load(run.records)
    with ExitStack() as files:
        if parts.options.output is not None:
            ledger.write_to(files.enter_context(DifferenceFile.open(parts.options.output, ledger.output_size)))
        try:
            await _walk_both(parts, run, ledger)
        except Interrupted:
            told = f"validation {run.id} was stopped: {ledger.so_far()}"
            raise Interrupted(told, remedy=f"go on with: {parts.options.command()}") from None
    report = _report(parts, run, ledger)
    await close_run(run, report.to_json(), full=parts.options.full)
    return report


async def _walk_both(parts: _Parts, run: ValidationRun, ledger: ValidationProgress) -> None:
    """Walk the old table, then every v2 table: what the first walk leaves to the second is there when it
    comes."""
    reader = parts.reader()
    walker = SegmentWalker(reader, ledger, parts.settlement(reader), parts.waits)
    await _walk(parts, run, walker, OldWalk(reader, parts.mapping, parts.clock, parts.options.entity))
    counted = {entity: ledger.tally["items", entity, "old"] for entity in parts.mapping.entities}
    checks = IndexChecks(reader, parts.mapping, per_entity=parts.options.index_sample, salt=run.id, expected=counted)
    for table in _v2_tables(parts):
        walk = V2Walk(reader, parts.mapping, parts.clock, table=table, entity=parts.options.entity, checks=checks)
        await _walk(parts, run, walker, walk)


async def _walk(parts: _Parts, run: ValidationRun, walker: SegmentWalker, walk: ComparisonWalk) -> None:
    if parts.options.sample is None:
        await _together(walker.walk(walk, segment, parts.segments) for segment in range(parts.segments))
        return
    entities = [
        name for name in _asked(parts) if walk.table in (parts.mapping.old.table, parts.mapping.entities[name].table)
    ]
    pages = sample(
        walker.reader,
        walk.table,
        each=parts.options.sample,
        entities=entities,
        entity=walk.entity_of,
        random=Random(f"{run.id}{walk.name}"),
    )
    await walker.walk_pages(walk, pages)


async def _together(work: Iterable[Coroutine[Any, Any, None]]) -> None:
    """Run all of ``work``; when one fails, stop the others and raise its error."""
    async with task_group() as tasks:
        for one in work:
            tasks.create_task(one)


def _asked(parts: _Parts) -> list[str]:
    return [name for name in parts.mapping.entities if parts.options.entity in (None, name)]


def _v2_tables(parts: _Parts) -> list[str]:
    """The tables of the entities asked for, each once."""
    return list(dict.fromkeys(parts.mapping.entities[name].table for name in _asked(parts)))


def _check(mapping: Mapping, options: ValidationOptions) -> None:
    if options.entity is not None and options.entity not in mapping.entities:
        raise Misconfigured(
            f"--entity {options.entity}: the mapping {mapping.name} has no such entity",
            remedy=f"name one of: {', '.join(mapping.entities)}",
        )


def _report(parts: _Parts, run: ValidationRun, ledger: ValidationProgress) -> Report:
    return Report(
        run=run.id,
        mapping=parts.mapping.hash,
        started_at=run.started_at,
        finished_at=instant(parts.clock.now()),
        entities=tuple(_asked(parts)),
        tally=ledger.tally,
        differences=ledger.differences,
        resumed=run.resumed,
        both_ways=parts.options.both_ways,
    )
