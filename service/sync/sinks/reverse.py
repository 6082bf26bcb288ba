"""The reverse sink: carries the v2 tables' changes to the old table under the ledger rule, by ``core.rules.reverse``."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import groupby

from service.control.ledger import EntryReading
from service.core.item.change import Change
from service.core.item.stamp import Stamp
from service.core.item.wire import Item
from service.core.rules.authorship import Authorship, authorship_on_v2, live
from service.core.rules.images import V2Image
from service.core.rules.ledger import Place, ReverseClaim, ReverseHalf, Track, next_count, place_name
from service.core.rules.old_item import old_write
from service.core.rules.quarantine import Left
from service.core.rules.reverse import is_passed, reverse_plan
from service.core.rules.reverse_plan import BothReadings, ReversePlan, V2Change, reverse_places
from service.core.rules.reverse_records import V2Page, V2Record, item_that_waits
from service.core.rules.runs import Run, runs
from service.core.rules.waiting import WHOLE, Waiting
from service.errors import Poison
from service.failpoints import failpoint
from service.sync.sinks.context import SinkContext
from service.sync.sinks.key_order import KeysAtOnce
from service.sync.sinks.ledger_access import LedgerAccess
from service.sync.sinks.reverse_claims import ReverseClaims


@dataclass(frozen=True, slots=True)
class _Step:
    """A run of records of one place that is to be carried, and what it is judged by."""

    place: Place
    run: Run
    version: str
    read: EntryReading
    half: ReverseHalf
    """With the place's claim folded or dropped."""
    waiting: Waiting
    near: Sequence[Place]
    """Further places where the item may be."""
    marked: bool = False
    """The item has been noted as held for this record."""


class ReverseSink:
    """Implements ``streams.engine.ShardSink`` for the stream of one v2 table."""

    def __init__(self, access: LedgerAccess, context: SinkContext, concurrency: int) -> None:
        """``concurrency``: how many keys are applied at the same time, over all shards."""
        self._access = access
        self._context = context
        self._mapping = access.stores.mapping
        self._keys = KeysAtOnce(concurrency)
        self._claims = ReverseClaims(access, context)

    async def apply(self, shard_id: str, changes: Sequence[Change]) -> None:  # noqa: ARG002 (ShardSink names it)
        """Return only when the ledger has each record, and what it changed is on the old table, held or in quarantine."""
        await self._context.quarantined.refresh()
        await self._keys.apply(changes, partial(self.apply_key, page=V2Page(self._mapping, changes)))
        await self._context.activity.flush()

    async def apply_key(self, changes: Sequence[Change], page: V2Page | None = None) -> None:
        """Apply the records of one place, in their order. ``page``: all records that are read together; None: these."""
        place, page = Place(changes[0].table, changes[0].key), page or V2Page(self._mapping, changes)
        named: list[V2Record] = []
        for change in changes:
            record = page.records.get(change.sequence)
            if record is None:
                await self._access.purge(change.table, change.key, change.new)
            else:
                named.append(record)
        for item, group in groupby(named, key=lambda record: record.item):
            records = list(group)
            if item:
                await self._apply_item(
                    place, records[0].key, [record.change for record in records], page.places.get(item, ())
                )
            for record in records:
                if record.poison is not None:
                    await self._without_old_key(place, record)

    async def _apply_item(self, place: Place, key: Item, changes: Sequence[Change], near: Sequence[Place]) -> None:
        """Apply records that belong to one old item; again from the start if another worker has written reverse's half
        meanwhile."""
        attempt = 0
        self._access.in_flight.add(place.text)
        try:
            while not await self._try_item(place, key, changes, near):
                attempt += 1
                await self._access.pause(attempt)
            failpoint("reverse_done")
        finally:
            self._access.in_flight.discard(place.text)
            self._claims.forget_refused(place)

    async def _try_item(self, place: Place, key: Item, changes: Sequence[Change], near: Sequence[Place]) -> bool:
        """As ``_apply_item``; False: the half has changed, or another write of the item must end first."""
        read = await self._access.ledger.read(key)
        if read.entry.forward.claim is not None and read.entry.forward.claim.move is not None:
            return False  # between forward's two writes of a move nothing can be told from the two places
        half = await self._claims.settled(place, read, self._context.version(changes[0]))
        if half is None:
            return False
        done, epoch = half.track(place).done, read.entry.epoch
        left = [change for change in changes if self._context.version(change) > done]
        for _ in range(len(changes) - len(left)):
            self._context.count("duplicate")
        noted = False
        for run in runs(left, half.track(place).seen, partial(self._author, epoch), self._is_update):
            half = half.folded(place)
            if not (run.author.ours or run.last.expired):
                await self._context.activity.application_changed(self._mapping.entity_name_at(*place), run.last)
            waiting = Waiting() if run.author.ours else await self._context.waiting(place.table, place.key)
            step = _Step(place, run, self._context.version(run.last), read, half, waiting, near)
            after = await self._apply_run(step)
            if after is None:
                return False
            read, half = after
            noted = half is not read.entry.reverse
            await self._after_run(place, run)
        return not noted or await self._access.save(read, half) is not None

    async def _apply_run(self, step: _Step) -> tuple[EntryReading, ReverseHalf] | None:
        """Carry a run. Returns the entry as it is stored then, and the half as it is to be stored. None: the stored half or the
        old item has changed, and the run must be decided anew."""
        planned = await self._plan(step)
        if planned is None:
            return None
        plan, old = planned
        if plan.outcome == "held" and not step.marked and step.half.held_since is None:
            marked = await self._mark_held(step, plan)
            return None if marked is None else await self._apply_run(marked)
        await self._quarantine(step, plan)
        if plan.content is None:
            return await self._noted(step, plan)
        failpoint("reverse_decided")
        claimed = await self._claim(step, plan)
        if claimed is None:
            return None
        failpoint("reverse_claimed")
        step = replace(step, read=claimed)
        self._claims.forget_refused(step.place)  # the claim may be the one whose write was refused before
        try:
            written = await self._write(step, plan, old)
        except Poison as poison:  # DynamoDB refuses the item itself
            return await self._refused(step, plan, poison)
        if written:
            failpoint("old_written")
            await self._heal(step, plan)
            self._context.count(plan.outcome)
            return step.read, step.read.entry.reverse
        self._claims.note_refused(step.place, step.read.entry.reverse)
        return None

    async def _refused(self, step: _Step, plan: ReversePlan, poison: Poison) -> tuple[EntryReading, ReverseHalf] | None:
        """Let all that the refused write was to carry wait, and what waited before. The claim is dropped, and its count is not used
        again."""
        units = (WHOLE,) if plan.units is None else tuple(sorted({*plan.units, *plan.added, *step.waiting.units}))
        await self._put_in_quarantine(step, poison, units)
        count = step.read.entry.reverse.count
        waits = ReversePlan("waiting", places=plan.places, waiting=units, poison=poison)
        return await self._noted(replace(step, half=replace(step.half, count=count)), waits)

    async def _mark_held(self, step: _Step, plan: ReversePlan) -> _Step | None:
        """Note first that the item is held, and read again afterwards: so no record that ends it can be passed in between.
        None: the stored half has changed."""
        half = replace(step.half, places=plan.places).held(self._access.stores.clock.now())
        saved = await self._access.save(step.read, half, await self._access.held_writes(step.read.entry, half))
        return None if saved is None else replace(step, read=saved, half=half, marked=True)

    async def _plan(self, step: _Step) -> tuple[ReversePlan, Item | None] | None:
        """The plan, and the old item that it was made by. The old item is read before v2, so that v2 is as it was then or
        newer. None: forward has written its half meanwhile, so that the places may not have been read as they were at one
        moment."""
        mapping, judged = self._mapping, self._judged(step)
        if is_passed(judged, step.half):
            return ReversePlan("own", places=step.half.places), None
        key = step.read.entry.key
        old = await self._access.stores.store.get(mapping.old.table, key)
        known = await self._access.read_places(reverse_places(mapping, step.place, step.read.entry, old, step.near))
        lives = [reading for reading in known if reading.is_live(mapping.stamp)]
        if len(known) > 1 or not lives:
            current = await self._access.ledger.read(key)
            if current.revision("forward") != step.read.revision("forward"):
                return None
        try:
            return reverse_plan(mapping, judged, step.half, BothReadings(known, old)), old
        except Poison as poison:
            places = tuple(reading.place.text for reading in lives)
            return ReversePlan("waiting", places=places, waiting=(WHOLE,), poison=poison), old

    def _judged(self, step: _Step) -> V2Change:
        run, place = step.run, step.place
        pairs = tuple((self._live(place, each.old), self._live(place, each.new)) for each in run.changes)
        images = (pairs[0][0], pairs[-1][1])
        stamp = run.author.stamp if run.author.ours else None
        if run.author.ours:
            removed = not step.read.entry.forward.leaves_live
            return V2Change(place, step.version, images[0], images[1], stamp, removed=removed)
        waiting = None if step.waiting.whole else frozenset(step.waiting.units)
        first = step.waiting.changes[0].old if step.waiting.whole and step.waiting.changes else None
        since = None if first is None else V2Image(self._mapping, place, first)
        steps = pairs if len(pairs) > 1 else ()
        return V2Change(place, step.version, images[0], images[1], stamp, waiting, since, steps)

    def _live(self, place: Place, image: Item | None) -> V2Image | None:
        if image is None or not live(image, place.key, self._mapping.stamp):
            return None
        return V2Image(self._mapping, place, image)

    async def _quarantine(self, step: _Step, plan: ReversePlan) -> None:
        """Keep a record of the application, or a restore, whose units cannot be carried."""
        author = step.run.author
        restores = author.stamp is not None and bool(author.stamp.restore)
        if plan.waiting and plan.poison is not None and (restores or not author.ours):
            await self._put_in_quarantine(step, plan.poison, plan.waiting)

    async def _put_in_quarantine(self, step: _Step, poison: Poison, units: Sequence[str]) -> None:
        waiting = self._context.waiting_change(replace(step.run.last, old=step.run.first.old))
        await self._context.put_in_quarantine(waiting, poison, units, self._access.fence)

    async def _noted(self, step: _Step, plan: ReversePlan) -> tuple[EntryReading, ReverseHalf] | None:
        """A record for which nothing is written. It is stored with the next write of the half; at once if it changes what is
        held."""
        if not step.run.author.ours:
            await self._heal(step, plan)
        self._context.count(plan.outcome)
        half = self._passed(step, plan)
        stamp = step.run.author.stamp
        # The base of a restore is not what forward had seen.
        if step.run.author.ours and stamp is not None and not stamp.restore:
            half = half.forgetting(stamp.base or "")
        held = await self._access.held_writes(step.read.entry, half)
        if not held:
            return step.read, half
        saved = await self._access.save(step.read, half, held)
        return None if saved is None else (saved, saved.entry.reverse)

    def _passed(self, step: _Step, plan: ReversePlan) -> ReverseHalf:
        """The half once the record is done."""
        half = step.half.tracking(step.place, Track(step.version, step.run.author.seen))
        return self._with_places(half, plan)

    def _with_places(self, half: ReverseHalf, plan: ReversePlan) -> ReverseHalf:
        half = replace(half, places=plan.places)
        if plan.outcome == "held":
            return half.held(self._access.stores.clock.now())
        return replace(half, held_since=None)

    async def _claim(self, step: _Step, plan: ReversePlan) -> EntryReading | None:
        """Claim the write of the plan, with a count above all others. An earlier claim of this record stays, if it says the
        same and no other place has claimed since."""
        stored, text = step.read.entry.reverse, step.place.text
        earlier = stored.claims.get(text)
        claim = ReverseClaim(
            step.version,
            step.run.author.seen,
            self._access.worker,
            next_count(stored.count),
            plan.units,
            plan.added,
            plan.released,
            step.waiting.healed_by(plan.waiting),
            plan.counted,
        )
        if earlier is not None and replace(claim, count=stored.count) == earlier:
            return step.read
        half = self._with_places(step.half, plan)
        half = replace(half, count=claim.count, claims={**half.claims, text: claim})
        return await self._access.save(step.read, half, await self._access.held_writes(step.read.entry, half))

    async def _write(self, step: _Step, plan: ReversePlan, old: Item | None) -> bool:
        """Make the claimed write. False: it was refused, and the record must be decided anew."""
        assert plan.content is not None
        key, claim = step.read.entry.key, step.read.entry.reverse.claims[step.place.text]
        stamp = Stamp(claim.count, tombstone=not plan.content, place=place_name(step.place.text))
        made = await self._access.write(old_write(self._mapping, key, old, plan.content, stamp))
        if made is None:  # an answer was lost: the stamp, the ledger or the stream shows whether it was made
            made = await self._access.reverse_claim_made(key, step.place, claim)
        if made and not plan.content:
            await self._access.purge_at(self._mapping.old.table, key)
        return made

    async def _after_run(self, place: Place, run: Run) -> None:
        """Take a tombstone's mark off an item that the application has revived, and purge our tombstone."""
        if not run.author.ours:
            await self._access.unmark(place.table, place.key, run.last.new)
        await self._access.purge(place.table, place.key, run.last.new)

    async def _heal(self, step: _Step, plan: ReversePlan) -> None:
        """Take what waits no longer out of quarantine."""
        how: Left = "superseded" if step.run.last.new is None else "applied"
        await self._context.heal(step.place, step.waiting.healed_by(plan.waiting), step.version, how=how)

    async def _without_old_key(self, place: Place, record: V2Record) -> None:
        """A record that shows no old key. A delete is one of the item that waits; if no old item is known there, what was wrong
        with it is gone with it."""
        change = record.change
        if live(change.new, change.key, self._mapping.stamp):
            assert record.poison is not None
            waiting = self._context.waiting_change(change)
            await self._context.put_in_quarantine(waiting, record.poison, (WHOLE,), self._access.fence)
            return
        known = await self._context.waiting(place.table, place.key)
        key = item_that_waits(self._mapping, place, known.changes) if change.new is None else None
        if key is not None:
            await self._apply_item(place, key, [replace(change, old=known.changes[0].old)], ())
        else:
            await self._context.heal(place, known.units, self._context.version(change), how="superseded")

    def _is_update(self, change: Change) -> bool:
        return all(live(image, change.key, self._mapping.stamp) for image in (change.old, change.new))

    def _author(self, epoch: int, change: Change, seen: str) -> Authorship:
        return authorship_on_v2(change, self._mapping.stamp, seen, epoch)
