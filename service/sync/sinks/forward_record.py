"""What the forward sink writes down before it writes on v2: the claim, the conflict-log entry, and what waits in quarantine."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from service.control.conflicts import Conflict
from service.control.ledger import EntryReading, conflict_id
from service.core.item.change import Change
from service.core.item.wire import Item
from service.core.item.write import TransactItem
from service.core.mapping.mapping import Mapping
from service.core.rules.forward_plan import ForwardPlan, OldChange
from service.core.rules.images import old_image
from service.core.rules.ledger import ForwardClaim, ForwardHalf, Move
from service.core.rules.ledger_writes import PlaceReading, place_of
from service.core.rules.units import shown
from service.core.rules.waiting import Waiting
from service.errors import Poison
from service.sync.sinks.context import SinkContext
from service.sync.sinks.ledger_access import LedgerAccess


@dataclass(frozen=True, slots=True)
class Step:
    """A change that forward carries, and what it is judged by."""

    change: Change
    """Of several changes: from the image before the first to the image after the last."""
    first: str
    """The version of the first change, if this stands for several; else as ``version``."""
    version: str
    seen: str
    """The highest count seen in a stamp on the old item before the change."""
    read: EntryReading
    half: ForwardHalf
    """With its claim folded or dropped."""
    waiting: Waiting
    refused: Item | None
    """The item whose delete v2 refused, if that was the change right before."""
    begun: Move | None = None
    """A move that this change has begun: its put at the new place was made."""
    ours: bool = False
    """The change is a write of reverse's, after which old must get the units back that are pending."""
    between: tuple[Item, ...] = ()
    """Of several changes, the items after each but the last."""
    refusals: list[Poison] = field(default_factory=list)
    """Why units of the change wait, one for each time that it was decided."""

    def judged(self, mapping: Mapping) -> OldChange:
        """The change as the rule judges it: from what was there before the first change that waits."""
        return OldChange(
            self.change.key,
            self.version,
            old_image(mapping, self.waiting.whole_from(self.change.old)),
            old_image(mapping, self.change.new),
            self.waiting.bases(mapping),
            self.between,
        )


class ForwardRecord:
    """Writes down the plan of a step."""

    def __init__(self, access: LedgerAccess, context: SinkContext) -> None:
        self._access = access
        self._context = context
        self._mapping = access.stores.mapping

    async def save(self, step: Step, plan: ForwardPlan, found: Sequence[PlaceReading]) -> EntryReading | None:
        """Write down what is about to be written, or that nothing is: in quarantine, and then in the ledger and the conflict log.

        Returns the entry as it is then; None: the half has changed.
        """
        await self._quarantine(step, plan)
        # Also where nothing is written a claim names what leaves quarantine: after a crash the next worker takes it out.
        leaves = step.waiting.healed_by(plan.waiting)
        claim = self._claim(step, plan) if plan.writes or leaves else None
        if claim is not None and step.read.entry.forward.claim == claim:
            return step.read
        half = replace(step.half, claim=claim, pending=self._pending(step, plan))
        if claim is None:
            half = replace(half, done=step.version, seen=step.seen, places=plan.places, refused="")
        return await self._access.save(step.read, half, await self._log(step, plan, found))

    async def _quarantine(self, step: Step, plan: ForwardPlan) -> None:
        """Keep a change whose units cannot be written."""
        if not plan.waiting:
            return
        assert plan.poison is not None
        step.refusals.append(plan.poison)
        if not step.waiting.holds(self._mapping, step.change, plan.waiting):
            waiting = self._context.waiting_change(self._from_refused(step))
            await self._context.put_in_quarantine(waiting, plan.poison, plan.waiting, self._access.fence)

    def _from_refused(self, step: Step) -> Change:
        """The change; a create that is judged from what was deleted, from that."""
        if step.refused is None or old_image(self._mapping, step.change.old) is not None:
            return step.change
        return replace(step.change, old=step.refused)

    def _pending(self, step: Step, plan: ForwardPlan) -> tuple[str, ...]:
        """The units that old must get back once reverse has put the item on old again."""
        if plan.writes:
            return () if step.ours else step.half.pending
        if step.change.new is None:
            return ()
        lost = plan.conflict.units if plan.conflict is not None and plan.conflict.reason == "deleted" else ()
        return tuple(sorted({*step.half.pending, *lost}))

    def _claim(self, step: Step, plan: ForwardPlan) -> ForwardClaim:
        writes = tuple(place_of(self._mapping, write).text for write in plan.writes)
        return ForwardClaim(
            step.version,
            step.seen,
            self._access.worker,
            writes,
            plan.places,
            lost=self._lost(step, plan),
            refused=plan.refused,
            healed=step.waiting.healed_by(plan.waiting),
            waiting=plan.waiting if step.waiting.whole else (),
            move=plan.move,
            begun=step.begun,
        )

    def _lost(self, step: Step, plan: ForwardPlan) -> tuple[str, ...]:
        """The units that are in the conflict log with this change."""
        claim = step.read.entry.forward.claim
        if plan.keeps_log:
            return claim.lost if claim is not None else ()
        return plan.conflict.units if plan.conflict is not None else ()

    async def _log(self, step: Step, plan: ForwardPlan, found: Sequence[PlaceReading]) -> list[TransactItem]:
        """The conflict-log entry of the plan; or its removal, if an earlier claim of this change had logged a loss."""
        if plan.conflict is not None:
            return await self._access.conflicts.puts(self._conflict(step, plan, found))
        claim = step.read.entry.forward.claim
        if claim is not None and claim.version == step.version and claim.lost and not plan.keeps_log:
            removed = conflict_id(self._mapping.old.table, step.change.key, step.version)
            return await self._access.conflicts.removals(removed)
        return []

    async def drop_claim(self, step: Step) -> None:
        """Take back the claim of several changes that are to be decided one by one, and what it has put into the conflict log: none
        of its writes was made."""
        claim = step.read.entry.forward.claim
        if claim is not None and claim.version == step.version and claim.lost:
            logged = conflict_id(self._mapping.old.table, step.change.key, step.version)
            removals = await self._access.conflicts.removals(logged)
            await self._access.save(step.read, replace(step.half, claim=None), removals)

    async def refused_image(self, key: Item, half: ForwardHalf) -> Item | None:
        """The item whose delete v2 refused, if that was the change before."""
        if not half.refused:
            return None
        conflict = await self._access.conflicts.load(conflict_id(self._mapping.old.table, key, half.refused))
        return old_image(self._mapping, conflict.change.change.old if conflict.change is not None else None)

    def _conflict(self, step: Step, plan: ForwardPlan, found: Sequence[PlaceReading]) -> Conflict:
        assert plan.conflict is not None
        change = step.change
        return Conflict(
            id=conflict_id(self._mapping.old.table, change.key, step.version),
            old_table=change.table,
            key=change.key,
            entity=self.entity(change),
            reason=plan.conflict.reason,
            fields=shown(plan.conflict.units),
            change=self._context.waiting_change(change),
            v2=tuple((item.place.table, item.place.key, item.item) for item in found),
            at=self._access.stores.clock.now(),
        )

    def entity(self, change: Change) -> str:
        """The name of the entity that a change of the old table shows."""
        mapping = self._mapping
        return mapping.entity_name_of(old_image(mapping, change.new) or old_image(mapping, change.old))
