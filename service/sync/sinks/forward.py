"""The forward sink: applies the old table's changes to v2 under the ledger rule, by ``core.rules.forward``.

Each change is applied exactly once, and the changes of a key in their order.
"""

from collections.abc import Sequence
from dataclasses import replace

from service.control.ledger import EntryReading
from service.core.item.change import Change
from service.core.item.wire import Item
from service.core.item.write import Put, Update
from service.core.rules.authorship import Authorship, authorship_on_old
from service.core.rules.forward import forward_plan, known_places
from service.core.rules.forward_moves import is_applied
from service.core.rules.forward_plan import ForwardPlan, V2State, waiting_units
from service.core.rules.images import old_image
from service.core.rules.ledger import (
    ForwardClaim,
    ForwardHalf,
    Move,
    Place,
    is_repeat,
    is_write_of,
    next_version,
    place_from,
)
from service.core.rules.ledger_writes import PlaceReading, place_of
from service.core.rules.left_out import carried
from service.core.rules.quarantine import Left
from service.core.rules.restore import is_remains, restore_plan
from service.core.rules.runs import Run, runs
from service.core.rules.waiting import WHOLE
from service.errors import Poison, Retryable
from service.failpoints import failpoint
from service.sync.sinks.absent_items import AbsentItems
from service.sync.sinks.context import SinkContext
from service.sync.sinks.forward_record import ForwardRecord, Step
from service.sync.sinks.key_order import KeysAtOnce
from service.sync.sinks.ledger_access import LedgerAccess
from service.sync.sinks.lost_waiting import lose_what_waits


class _ApartError(Exception):
    """Several changes must be carried one by one: together they move the item, or the guarded rule has applied the first."""


class ForwardSink:
    """Implements ``streams.engine.ShardSink`` for the old table's stream."""

    def __init__(self, access: LedgerAccess, context: SinkContext, concurrency: int) -> None:
        """``concurrency``: how many keys are applied at the same time, over all shards."""
        self._access = access
        self._context = context
        self._mapping = access.stores.mapping
        self._record = ForwardRecord(access, context)
        self._keys = KeysAtOnce(concurrency)
        self._absent = AbsentItems(access)

    async def apply(self, shard_id: str, changes: Sequence[Change]) -> None:  # noqa: ARG002 (ShardSink names it)
        """Return only when each change is in v2, in the conflict log or in quarantine. Raises Fatal or Retryable."""
        await self._context.quarantined.refresh()
        seen = carried(self._mapping, changes)
        self._count("left_out", len(changes) - len(seen))
        await self._keys.apply(seen, self.apply_key)
        await self._context.activity.flush()

    async def apply_key(self, changes: Sequence[Change]) -> None:
        """Apply the changes of one key, in their order; again from the start if another worker has written its half meanwhile."""
        attempt, together = 0, True
        while True:
            try:
                if await self._try_key(changes, together=together):
                    failpoint("forward_done")
                    return
            except _ApartError:
                together = False
                continue
            attempt += 1
            await self._access.pause(attempt)

    async def _try_key(self, changes: Sequence[Change], *, together: bool) -> bool:
        """As ``apply_key``; False: the half has changed. ``together``: changes of the application that follow one another are
        carried as one. A move is not: what it has begun must be told from its one record."""
        read = await self._access.ledger.read(changes[0].key)
        half, begun = await self._without_claim(read, self._context.version(changes[0]))
        left = [change for change in changes if self._context.version(change) > half.done]
        self._count("duplicate", len(changes) - len(left))
        claim = read.entry.forward.claim
        # Reverse waits while the claim of a move is open. That of one that was begun only the change itself may close.
        noted = claim is not None and claim.move is not None and begun is None
        for run in runs(left, half.seen, self._author, self._is_update, together=together and begun is None):
            half, version = half.folded(), self._context.version(run.last)
            if run.author.ours:
                await self._access.purge(run.last.table, run.last.key, run.last.new)
                await lose_what_waits(self._access, self._context, run.last, read.entry)
                half = half.passing(run.author.stamp)
                if not (half.pending and old_image(self._mapping, run.last.new)):
                    half = replace(half, done=version, seen=run.author.seen, refused="", pending=())
                    noted = True
                    self._count("own", 1)
                    continue
            elif not run.last.expired:
                await self._context.activity.application_changed(self._record.entity(run.last), run.last)
            step = await self._step(run, version, read, half)
            resumed = begun if begun is not None and is_write_of(begun.version, version) else None
            carried = await self._carry(replace(step, begun=resumed))
            if carried is None:
                return False
            read, half, noted, begun = carried, carried.entry.forward, False, None
        return not noted or await self._access.save(read, half.folded()) is not None

    async def retry(self, key: Item) -> Poison | None:
        """Try again what waits in quarantine for an old item: what can be written leaves it. Returns why something still waits;
        None: nothing does. Raises Retryable when another worker writes the item meanwhile."""
        # Before what waits is read: if the sync carries it in between, the half has changed.
        read = await self._access.ledger.read(key)
        half, begun = await self._without_claim(read, "")
        claim = read.entry.forward.claim
        if claim is not None and not is_repeat(claim.version) and half.done < claim.version:
            raise Retryable("the sync writes the item at this moment", reason="item_contended")
        waiting = await self._context.waiting(self._mapping.old.table, key)
        if not waiting.changes:
            return None
        last = waiting.changes[-1]
        change = replace(last, old=waiting.changes[0].old if waiting.whole else last.new)
        version = next_version(half.done, self._context.version(last))
        step = Step(change, version, version, half.seen, read, half, waiting, None, begun)
        if await self._carry(step) is None:
            raise Retryable("the sync writes the item at this moment", reason="item_contended")
        return step.refusals[-1] if step.refusals else None

    async def _without_claim(self, read: EntryReading, first: str) -> tuple[ForwardHalf, Move | None]:
        """The half with its claim folded, if the claimed writes were made, or dropped, if they were not; and the move that was
        begun.

        ``first``: the version of the first change that is to be applied now; one after the claim shows that it was made, unless the
        claim is of a retry.
        """
        half, key = read.entry.forward, read.entry.key
        claim = half.claim
        if claim is None or (first > claim.version and not is_repeat(claim.version)):
            return half.folded(), None
        if await self._access.forward_claim_made(key, claim):
            await self._context.heal((self._mapping.old.table, key), claim.healed, claim.version, claim.waiting)
            return half.folded(), None
        return replace(half, claim=None), await self._begun(key, claim)

    async def _begun(self, key: Item, claim: ForwardClaim) -> Move | None:
        """What a claimed move has put at the new place: with this claim, or before it. The stamps say which put was made last."""
        if claim.move is None:
            return None
        asked = replace(claim, version=claim.move.version)
        made = await self._access.forward_write_made(key, place_from(claim.move.goal), asked)
        return claim.move if made else claim.begun

    async def _step(self, run: Run, version: str, read: EntryReading, half: ForwardHalf) -> Step:
        change = replace(run.last, old=run.first.old)
        waiting = await self._context.waiting(change.table, change.key)
        refused = await self._record.refused_image(read.entry.key, half)
        first, ours = self._context.version(run.first), run.author.ours
        between = tuple(each.old for each in run.changes[1:] if each.old is not None)
        return Step(change, first, version, run.author.seen, read, half, waiting, refused, ours=ours, between=between)

    async def _carry(self, step: Step) -> EntryReading | None:
        """Carry a change of the application; decide anew as often as the item changes meanwhile. Returns the entry as it is
        then. None: the half has changed."""
        missing: list[Place] = []
        attempt = 0
        while True:
            decided = await self._decide(step, missing)
            if decided is None:
                return None
            step, plan, found = decided
            if step.between and self._is_apart(step, plan, found):
                await self._record.drop_claim(step)
                raise _ApartError
            try:
                saved = await self._try(step, plan, found)
            except Poison as poison:  # DynamoDB refuses the item itself
                units = waiting_units(self._mapping, step.judged(self._mapping))
                refused = ForwardPlan("waiting", places=plan.places, waiting=units, poison=poison)
                saved = await self._try(
                    replace(step, read=await self._access.ledger.read(step.change.key)), refused, found
                )
            if isinstance(saved, EntryReading):
                return saved
            if saved is None:
                return None
            step = saved
            attempt += 1
            await self._access.pause(attempt)

    def _is_apart(self, step: Step, plan: ForwardPlan, found: Sequence[PlaceReading]) -> bool:
        """Whether several changes must be decided one by one."""
        return plan.outcome == "apart" or plan.move is not None or is_applied(self._mapping, found, step.first)

    async def _decide(
        self, step: Step, missing: list[Place]
    ) -> tuple[Step, ForwardPlan, Sequence[PlaceReading]] | None:
        """The plan, and what it was made by. ``missing``: further places to read, added to as they are found. None: the half has
        changed."""
        began = self._access.stores.clock.monotonic()
        while True:
            found = await self._access.read_places(self._places(step, missing))
            plan = self._plan(step, found)
            if plan.missing is not None:
                missing.append(plan.missing)
                continue
            if not await self._absent.is_yet_to_show(step.read, step.seen, plan, began):
                return step, plan, found
            read = await self._access.ledger.read(step.change.key)
            if read.revision("forward") != step.read.revision("forward"):
                return None
            step = replace(step, read=read)

    async def _try(self, step: Step, plan: ForwardPlan, found: Sequence[PlaceReading]) -> EntryReading | Step | None:
        """Claim and make the writes of a plan. Returns the entry as it is then; the step to go on with, when a write was refused
        and the change must be decided anew; None: the half has changed."""
        failpoint("forward_decided")
        saved = await self._record.save(step, plan, found)
        if saved is None:
            return None
        failpoint("forward_claimed")
        step = replace(step, read=saved)
        for number, write in enumerate(plan.writes):
            if not await self._write(step, write):
                return step
            failpoint("v2_written")
            if number == 0 and plan.move is not None and len(plan.writes) > 1:
                step = replace(step, begun=plan.move)
        if step.change.new is None and await self._is_added_to(plan.tombstoned):
            return step
        await self._follow_up(step, plan)
        if plan.move is None:
            return step.read
        # Reverse waits while the claim of a move is open.
        return await self._access.save(step.read, step.read.entry.forward.folded())

    async def _is_added_to(self, tombstoned: Sequence[Place]) -> bool:
        """Whether the application has added to an item between the reading and our tombstone, which took the rest of it away."""
        items = [await self._access.stores.store.get(place.table, place.key) for place in tombstoned]
        places = zip(tombstoned, items, strict=True)
        return any(is_remains(self._mapping, PlaceReading(place, item)) for place, item in places)

    def _places(self, step: Step, missing: Sequence[Place]) -> list[Place]:
        places = known_places(self._mapping, step.change, step.read.entry)
        claim = step.read.entry.forward.claim
        claimed = [] if claim is None else [place_from(text) for text in claim.writes]
        return list({place.text: place for place in (*places, *claimed, *missing)}.values())

    def _plan(self, step: Step, found: Sequence[PlaceReading]) -> ForwardPlan:
        """The plan; a change of which nothing can be written waits as a whole."""
        state = V2State(found, step.seen, step.refused, step.begun)
        if step.ours:
            return restore_plan(self._mapping, step.version, state, step.half.pending)
        try:
            return forward_plan(self._mapping, step.judged(self._mapping), state)
        except Poison as poison:
            live = tuple(reading.place.text for reading in found if reading.is_live(self._mapping.stamp))
            return ForwardPlan("waiting", places=live, waiting=(WHOLE,), poison=poison)

    async def _write(self, step: Step, write: Put | Update) -> bool:
        """Make a claimed write. False: it was refused, and the change must be decided anew."""
        made = await self._access.write(write)
        if made is None:  # an answer was lost: the stamp, the ledger or the stream shows whether it was made
            claim = step.read.entry.forward.claim
            assert claim is not None
            made = await self._access.forward_write_made(step.change.key, place_of(self._mapping, write), claim)
        return made

    async def _follow_up(self, step: Step, plan: ForwardPlan) -> None:
        """After the writes: take units out of quarantine, count, and remove tombstones."""
        change = step.change
        self._count(plan.outcome, 1)
        if step.ours:
            return
        healed = step.waiting.healed_by(plan.waiting)
        await self._context.heal((change.table, change.key), healed, step.version, plan.waiting, left_by(change, plan))
        await self._access.unmark(change.table, change.key, change.new)
        for place in plan.tombstoned:
            await self._access.purge_at(*place)

    def _is_update(self, change: Change) -> bool:
        return all(old_image(self._mapping, image) is not None for image in (change.old, change.new))

    def _author(self, change: Change, seen: str) -> Authorship:
        return authorship_on_old(change, self._mapping.stamp, seen)

    def _count(self, outcome: str, times: int) -> None:
        for _ in range(times):
            self._context.count(outcome)


def left_by(change: Change, plan: ForwardPlan) -> Left:
    """How a key leaves quarantine by a plan."""
    if plan.conflict is not None:
        return "conflict"
    return "superseded" if change.new is None else "applied"
