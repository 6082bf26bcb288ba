"""Writes a window's copies, each only where its v2 key is free; what cannot be written is quarantined."""

import asyncio
from collections import Counter
from collections.abc import Callable, Sequence
from collections.abc import Mapping as Map
from dataclasses import dataclass, field
from math import inf
from random import Random

from backfill.segments import Outcomes
from backfill.throttle import PartitionKey, ThrottleWaits, WriteLimits
from backfill.window import Copy, Group, Rejection, Window
from service.clock import Clock
from service.control.quarantine import Quarantine
from service.core.item.compare import equal
from service.core.mapping.capacity import InsertUnits, insert_units
from service.core.mapping.mapping import Mapping
from service.core.mapping.transform import old_key
from service.dynamodb.protocol import Fence, InsertRefused, InsertThrottled, ItemStore
from service.errors import Poison
from service.tasks import task_group


class RequestSlots:
    """Requests to the target at once. Whoever finds all taken waits because the target is slow."""

    def __init__(self, waits: ThrottleWaits, most: int) -> None:
        self._waits = waits
        self._free = asyncio.Semaphore(most)

    async def __aenter__(self) -> None:
        if not self._free.locked():
            await self._free.acquire()
            return
        async with self._waits.because("target_slow"):
            await self._free.acquire()

    async def __aexit__(self, *_: object) -> None:
        self._free.release()


@dataclass(frozen=True, slots=True)
class Target:
    """The v2 tables as a backfill may use them. patience_seconds: how long a group may be throttled without any progress."""

    store: ItemStore
    quarantine: Quarantine
    limits: WriteLimits
    turns: RequestSlots
    fence: Fence
    clock: Clock
    patience_seconds: float


class Copier:
    """Copies windows. Several may be under way at once; they share limits and turns.

    ``acknowledged`` is called with what each request has settled.
    """

    def __init__(
        self, target: Target, mapping: Mapping, random: Random, acknowledged: Callable[[Outcomes], None]
    ) -> None:
        self._acknowledged = acknowledged
        self._target = target
        self._mapping = mapping
        self._random = random
        self._key_names = {name: shape.key_names for name, shape in mapping.tables.items()}
        self._indexes = {name: shape.indexes for name, shape in mapping.tables.items()}

    async def copy(self, window: Window) -> Outcomes:
        """Returns once every item of ``window`` is in v2 or in quarantine, acknowledged; ``window`` has then what that took."""
        async with task_group() as tasks:
            writing = [tasks.create_task(self._insert(group, window)) for group in window.groups(self._random)]
            rejecting = tasks.create_task(self._reject(window.rejections))
        return sum((task.result() for task in writing), rejecting.result())

    async def _insert(self, group: Group, window: Window) -> Outcomes:
        outcomes = Outcomes()
        give_up_at = (
            inf  # a group is stuck from its first throttle on: what it waits for the limits before does not count
        )
        while group.copies:
            units = [insert_units(copy.item, self._indexes[group.table]) for copy in group.copies]
            await self._admit(group, units)
            answer = await self._send(group)
            window.write_units += sum(map(taken, answer.results, units))
            written = Outcomes(copied=answer.results.count(True), present=answer.results.count(False))
            self._acknowledged(written)
            outcomes += written + await self._reject(answer.rejections)
            if len(answer.left) < len(group.copies):
                give_up_at = inf
            elif answer.throttled is not None:
                now = self._target.clock.monotonic()
                give_up_at = min(give_up_at, now + self._target.patience_seconds)
                if now > give_up_at:
                    raise answer.throttled
            group = Group(group.table, answer.left)
            self._target.limits.throttled(self._partition(group.table, copy) for copy in group.copies)
        return outcomes

    async def _send(self, group: Group) -> "InsertAnswer":
        """One request. What the answer leaves is to be sent again."""
        items = [copy.item for copy in group.copies]
        target = self._target
        try:
            async with target.turns:
                results = await target.store.insert_many(
                    group.table, items, self._key_names[group.table], patient=False, fence=target.fence
                )
        except InsertThrottled as throttled:
            return InsertAnswer(group, throttled.results, throttled=throttled)
        except InsertRefused as refused:
            return InsertAnswer(group, refused.results, refused=refused.refused)
        return InsertAnswer(group, results)

    async def _admit(self, group: Group, units: Sequence[InsertUnits]) -> None:
        """Wait until the limits let the group through."""
        at: Counter[PartitionKey] = Counter()
        for copy, count in zip(group.copies, units, strict=True):
            at[self._partition(group.table, copy)] += count.base
        await self._target.limits.admit(at, sum(count.everywhere for count in units))

    async def _reject(self, rejections: Sequence[Rejection]) -> Outcomes:
        outcomes = sum([await self._quarantine(one) for one in rejections], Outcomes())
        self._acknowledged(outcomes)
        return outcomes

    async def _quarantine(self, rejection: Rejection) -> Outcomes:
        """Quarantine the old item, unless it has changed since it was read: then its change says what it is now."""
        target, old = self._target, self._mapping.old
        key = old_key(self._mapping, rejection.old)
        target.fence()
        await target.quarantine.add_copy(old.table, key, rejection.poison)
        now = await target.store.get(old.table, key)
        if now is not None and equal(now, rejection.old):
            return Outcomes(quarantined=1)
        await target.quarantine.resolve_copy(old.table, key)
        return Outcomes(present=1)

    def _partition(self, table: str, copy: Copy) -> PartitionKey:
        (value,) = copy.item[self._key_names[table][0]].values()
        return table, value


@dataclass(frozen=True, slots=True)
class InsertAnswer:
    """What became of each copy of a group: True copied, False present, None neither. refused: by index."""

    group: Group
    results: Sequence[bool | None]
    refused: Map[int, Poison] = field(default_factory=dict)
    throttled: InsertThrottled | None = None

    @property
    def rejections(self) -> list[Rejection]:
        """The copies that the server refuses for themselves."""
        return [Rejection(self.group.copies[index].old, poison) for index, poison in self.refused.items()]

    @property
    def left(self) -> list[Copy]:
        """The copies that are still to be written."""
        return [
            copy
            for index, (copy, result) in enumerate(zip(self.group.copies, self.results, strict=True))
            if result is None and index not in self.refused
        ]


def taken(result: bool | None, units: InsertUnits) -> int:
    """Write units that one copy has taken: one that finds its key taken takes none in the indexes, a throttled one none at all
    (https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/read-write-operations.html)."""
    if result is None:
        return 0
    return units.everywhere if result else units.base
