"""Validation: compare both sides, re-check what differs, repair it if the operator asks for that, and report."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Iterable
from contextlib import AbstractAsyncContextManager, ExitStack
from dataclasses import dataclass
from functools import cached_property
from random import Random
from typing import Any

from service.config import Settings
from service.control.conflicts import Conflicts
from service.control.leases import Lease
from service.control.ledger import ledger_id
from service.control.quarantine import Quarantine
from service.control.repairs import registered
from service.control.stores import Stores
from service.core.mapping.mapping import Mapping
from service.core.rules.repair import RepairPhase
from service.core.rules.verdict import Kind, Pair
from service.dynamodb.protocol import Fence
from service.errors import Interrupted, Misconfigured
from service.log import get_logger
from service.tasks import task_group
from service.telemetry.metrics import Metrics
from service.validation.comparisons import OldTableComparison, TableComparison, V2TableComparison
from service.validation.difference_file import DifferenceFile
from service.validation.indexes import IndexChecks, IndexSample
from service.validation.ledger_repair import LedgerRepair
from service.validation.options import ValidationOptions
from service.validation.progress import ValidationProgress
from service.validation.reader import Reader, ReadRate
from service.validation.recheck import Recheck
from service.validation.repair import PairRepair, Repair, by_writing_v2
from service.validation.report import Report, instant
from service.validation.run import ValidationRun, close_run, open_run
from service.validation.sample import sample
from service.validation.segment import CandidateReview, SegmentValidator, StrayReview
from service.validation.waits import InterruptibleWaits, Settled

LEASE = "validation"

Permitted = Callable[[], Awaitable[None]]
"""Raises when nothing may be repaired any more."""


@dataclass(frozen=True, slots=True)
class ValidationContext:
    """What a validation works with."""

    stores: Stores
    settings: Settings
    metrics: Metrics
    settled: Settled | None = None
    """Returns once the sync has applied all that was in the stream when it was called. None: there is no such check, and
    ``settle_seconds`` must exceed the lag."""
    permitted: Permitted | None = None
    """Called before each cycle of repairs. None: repairs are always permitted."""
    phase: RepairPhase = "dual"
    """Under the ledger rule: which side a repair takes over the other."""
    epoch: int = 1
    """The ledger's."""


async def validate(context: ValidationContext, options: ValidationOptions, stop: asyncio.Event) -> Report:
    """Compare the old table with the v2 tables, and repair what differs if ``options.repair`` is set.

    Runs while writes go on: a difference counts only when it outlasts the setting ``settle_seconds`` and, where given,
    ``context.settled``.

    Raises Interrupted when ``stop`` is set (the progress is saved; the remedy resumes it), Refused when another validation runs or
    there is nothing to resume, Misconfigured for an unknown entity, Fatal when the output file cannot be written.
    """
    stores = context.stores
    _check_entity(stores.mapping, options)
    setup = _Setup(context, options, InterruptibleWaits(stores.clock, stop))
    async with Lease.try_acquire(stores.control, LEASE, options.owner, stores.clock, context.settings) as lease:
        return await _run(setup, lease)


@dataclass(frozen=True)
class _Setup:
    """Makes the objects that a run works with."""

    context: ValidationContext
    options: ValidationOptions
    waits: InterruptibleWaits

    @property
    def stores(self) -> Stores:
        return self.context.stores

    @property
    def mapping(self) -> Mapping:
        return self.context.stores.mapping

    @property
    def segments(self) -> int:
        """Scan segments of each table."""
        return self.options.segments or self.context.settings.segments

    @property
    def fingerprint(self) -> str:
        """An unfinished run is resumed only with the same one."""
        return self.options.fingerprint(self.mapping.hash, self.segments)

    @property
    def entities(self) -> list[str]:
        """The entities that are compared."""
        return [name for name in self.mapping.entities if self.options.entity in (None, name)]

    @property
    def v2_tables(self) -> list[str]:
        """The tables of these entities, each once."""
        return list(dict.fromkeys(self.mapping.entities[name].table for name in self.entities))

    def reader(self) -> Reader:
        rate = ReadRate(self.stores.clock, self.waits, self.context.metrics, self.options.max_read_units)
        page_items = self.context.settings.page_items
        return Reader(self.stores.store, self.mapping, rate, page_items, both_ways=self.options.both_ways)

    def candidate_review(self, reader: Reader, kind: type[CandidateReview] = CandidateReview) -> CandidateReview:
        settings = self.context.settings
        recheck = Recheck(
            self.waits,
            self.stores.clock,
            settle_seconds=settings.settle_seconds,
            timeout_seconds=settings.settle_timeout_seconds,
            settled=self.context.settled,
        )
        repair = Repair(reader, self.waits, self.registered, self.pair_repair()) if self.options.repair else None
        return kind(recheck, self.set_aside, repair)

    def pair_repair(self) -> PairRepair:
        stores = self.stores
        if not self.options.both_ways:
            return by_writing_v2(stores.store, stores.mapping)
        return self.ledger_repair.repair_pair

    @cached_property
    def ledger_repair(self) -> LedgerRepair:
        """Puts nothing on v2 in a sample: there the item may live at another place, which only a whole walk finds."""
        context = self.context
        return LedgerRepair(self.stores, context.phase, context.epoch, puts=self.options.sample is None)

    def registered(self) -> AbstractAsyncContextManager[Fence]:
        # A cycle may write for one lease time, as a worker may after its last renewal: so the writer horizon, which adds the
        # longest request, covers both.
        stores, seconds = self.stores, self.context.settings.lease_seconds
        permitted = self.context.permitted
        return registered(stores.control, stores.clock, self.options.owner, seconds, permitted=permitted)

    async def set_aside(self, pair: Pair) -> Kind | None:
        """Whether the pair waits for an operator, in quarantine or as a held item."""
        stores, old_table = self.stores, self.mapping.old.table
        quarantine = Quarantine(stores.control, stores.clock)
        for table, key in ((old_table, pair.old_key), (pair.table, pair.v2_key)):
            if table is not None and key is not None and await quarantine.holds(table, key):
                return Kind.QUARANTINED
        if pair.old_key is None or not self.options.both_ways:
            return None
        held = await Conflicts(stores.control).held_item(ledger_id(old_table, pair.old_key))
        return None if held is None else Kind.HELD


async def _run(setup: _Setup, lease: Lease) -> Report:
    """Begin or resume a run, compare, report, close."""
    options, clock = setup.options, setup.stores.clock
    run = await open_run(setup.stores.control, lease.token, options, setup.fingerprint, clock.now())
    progress = await ValidationProgress.load(run.records)
    with ExitStack() as files:
        if options.output is not None:
            progress.write_to(files.enter_context(DifferenceFile.open(options.output, progress.output_size)))
        try:
            await _compare_both(setup, run, progress)
        except Interrupted:
            message = f"validation {run.id} was stopped: {progress.so_far()}"
            raise Interrupted(message, remedy=f"go on with: {options.command()}") from None
    if setup.ledger_repair.left:
        get_logger().warning("a repair left keys as they are", **setup.ledger_repair.left)
    report = _report(setup, run, progress)
    await close_run(run, report, full=options.full)
    return report


async def _compare_both(setup: _Setup, run: ValidationRun, progress: ValidationProgress) -> None:
    """Compare the old table, then every v2 table. In this order nothing is missed: what the comparison of the old table leaves to
    that of v2 exists when v2 is read."""
    reader, options, clock = setup.reader(), setup.options, setup.stores.clock
    if options.repair and options.both_ways and options.sample is None:
        await _repair_strays(setup, run, progress, reader)
    validator = SegmentValidator(reader, progress, setup.candidate_review(reader), setup.waits)
    old = OldTableComparison(reader, setup.mapping, clock, options.entity)
    await _compare(setup, run, validator, old)
    counted = {entity: progress.tally["items", entity, "old"] for entity in setup.mapping.entities}
    checks = IndexChecks(reader, setup.mapping, IndexSample(options.index_sample, run.id, counted))
    for table in setup.v2_tables:
        v2 = V2TableComparison(reader, setup.mapping, clock, table=table, entity=options.entity, checks=checks)
        await _compare(setup, run, validator, v2)


async def _repair_strays(setup: _Setup, run: ValidationRun, progress: ValidationProgress, reader: Reader) -> None:
    """Under the ledger rule, repair first what v2 has at places where no old item belongs, and count nothing of it: else the
    repair of the old table would put an item on v2 that lives there at another place."""
    validator = SegmentValidator(reader, progress, setup.candidate_review(reader, StrayReview), setup.waits)
    mapping, clock, entity = setup.mapping, setup.stores.clock, setup.options.entity
    no_checks = IndexChecks(reader, mapping, IndexSample(0, run.id, {}))
    for table in setup.v2_tables:
        strays = V2TableComparison(reader, mapping, clock, table=table, entity=entity, checks=no_checks)
        strays.name = f"strays:{table}"
        await _compare(setup, run, validator, strays)
    setup.ledger_repair.left.clear()  # what was left is met again


async def _compare(setup: _Setup, run: ValidationRun, validator: SegmentValidator, comparison: TableComparison) -> None:
    """Compare all segments of the table, or a sample of it."""
    if setup.options.sample is None:
        segments = setup.segments
        await _run_all(validator.validate_segment(comparison, segment, segments) for segment in range(segments))
        return
    mapping = setup.mapping
    entities = [
        name for name in setup.entities if comparison.table in (mapping.old.table, mapping.entities[name].table)
    ]
    pages = sample(
        validator.reader,
        comparison.table,
        each=setup.options.sample,
        entities=entities,
        entity=comparison.entity_of,
        random=Random(f"{run.id}{comparison.name}"),
    )
    await validator.validate_sample(comparison, pages)


async def _run_all(coroutines: Iterable[Coroutine[Any, Any, None]]) -> None:
    """Run all of them; when one fails, stop the others and raise its error."""
    async with task_group() as tasks:
        for coroutine in coroutines:
            tasks.create_task(coroutine)


def _check_entity(mapping: Mapping, options: ValidationOptions) -> None:
    if options.entity is not None and options.entity not in mapping.entities:
        raise Misconfigured(
            f"--entity {options.entity}: the mapping {mapping.name} has no such entity",
            remedy=f"name one of: {', '.join(mapping.entities)}",
        )


def _report(setup: _Setup, run: ValidationRun, progress: ValidationProgress) -> Report:
    return Report(
        run=run.id,
        mapping=setup.mapping.hash,
        started_at=run.started_at,
        finished_at=instant(setup.stores.clock.now()),
        entities=tuple(setup.entities),
        tally=progress.tally,
        differences=progress.differences,
        resumed=run.resumed,
        both_ways=setup.options.both_ways,
    )
