"""Inserts a window's copies into v2, each only where its v2 key is free; what cannot be written is quarantined."""

import asyncio
from collections import Counter
from collections.abc import Callable, Sequence
from collections.abc import Mapping as Map
from dataclasses import dataclass, field
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
from service.retry import FIRST_WAIT_SECONDS, LONGEST_WAIT_SECONDS
from service.tasks import task_group


class RequestSlots:
    """A bound on the requests to v2 that are under way at once. Waiting for a slot counts as ``target_slow``."""

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
    """The v2 tables, and how a backfill may use them."""

    store: ItemStore
    quarantine: Quarantine
    limits: WriteLimits
    waits: ThrottleWaits
    slots: RequestSlots
    fence: Fence
    clock: Clock
    patience_seconds: float
    """How long a group may be throttled without any progress."""


class StuckGroup:
    """Since when a group has been throttled without any progress. The wait for the limits before its first throttling
    does not count."""

    def __init__(self, patience_seconds: float) -> None:
        self._patience_seconds = patience_seconds
        self._give_up_at: float | None = None
        self._waits = 0

    def progressed(self) -> None:
        """At least one copy of the group was settled: the patience starts anew with the next throttling."""
        self._give_up_at = None
        self._waits = 0

    def longest_wait(self) -> float:
        """Seconds: twice as many with each wait without progress."""
        self._waits += 1
        seconds: float = FIRST_WAIT_SECONDS * 2**self._waits
        return min(LONGEST_WAIT_SECONDS, seconds)

    def throttled(self, now: float) -> bool:
        """Nothing was settled at ``now`` (monotonic seconds). Returns whether the patience is used up."""
        if self._give_up_at is None:
            self._give_up_at = now + self._patience_seconds
        return now > self._give_up_at


class WindowCopier:
    """Copies windows. Several may be copied at once: they share the limits and the request slots of ``target``."""

    def __init__(
        self, target: Target, mapping: Mapping, random: Random, acknowledged: Callable[[Outcomes], None]
    ) -> None:
        """``acknowledged`` is called with the outcomes of each request."""
        self._acknowledged = acknowledged
        self._target = target
        self._mapping = mapping
        self._random = random
        self._key_names = {name: shape.key_names for name, shape in mapping.tables.items()}
        self._indexes = {name: shape.indexes for name, shape in mapping.tables.items()}

    async def copy(self, window: Window) -> Outcomes:
        """Return once the write of every item of ``window`` to v2 or to the quarantine is acknowledged.

        ``window.write_units`` then has what these writes took. Raises InsertThrottled when a group makes no progress within
        the patience, and whatever the fence raises.
        """
        async with task_group() as tasks:
            inserts = [tasks.create_task(self._insert(group, window)) for group in window.groups(self._random)]
            quarantined = tasks.create_task(self._reject(window.rejections))
        left_out = Outcomes(left_out=window.left_out)
        self._acknowledged(left_out)
        return sum((insert.result() for insert in inserts), quarantined.result() + left_out)

    async def _insert(self, group: Group, window: Window) -> Outcomes:
        outcomes, stuck = Outcomes(), StuckGroup(self._target.patience_seconds)
        while group.copies:
            units = [insert_units(copy.item, copy.most_bytes, self._indexes[group.table]) for copy in group.copies]
            reserved_at = await self._admit(group, units)
            answer = await self._send(group)
            window.write_units += sum(map(units_taken, answer.results, units))
            written = Outcomes(copied=answer.results.count(True), present=answer.results.count(False))
            self._acknowledged(written)
            outcomes += written + await self._reject(answer.rejections)
            if len(answer.unsettled) < len(group.copies):
                stuck.progressed()
            elif answer.throttled is not None and stuck.throttled(self._target.clock.monotonic()):
                raise answer.throttled
            group = Group(group.table, answer.unsettled)
            await self._slow_down(group, answer.throttled, stuck, reserved_at)
        return outcomes

    async def _slow_down(
        self, group: Group, throttled: InsertThrottled | None, stuck: "StuckGroup", reserved_at: float
    ) -> None:
        """Shrink the limits of the keys of ``group``, which is what is left; or wait, where fewer writes to them would not help."""
        if throttled is None or throttled.of_keys:
            keys = {self._partition(group.table, copy) for copy in group.copies}
            self._target.limits.throttled(keys, reserved_at)
        else:
            await self._target.waits.sleep("table_throttled", self._random.uniform(0, stuck.longest_wait()))

    async def _send(self, group: Group) -> "InsertAnswer":
        """One request. The copies that its answer leaves unsettled are to be sent again."""
        items = [copy.item for copy in group.copies]
        target = self._target
        try:
            async with target.slots:
                results = await target.store.insert_many(
                    group.table, items, self._key_names[group.table], patient=False, fence=target.fence
                )
        except InsertThrottled as throttled:
            return InsertAnswer(group, throttled.results, throttled=throttled)
        except InsertRefused as refused:
            return InsertAnswer(group, refused.results, refused=refused.refused)
        return InsertAnswer(group, results)

    async def _admit(self, group: Group, units: Sequence[InsertUnits]) -> float:
        """Wait until the limits admit the group; returns when its units were reserved."""
        base_units: Counter[PartitionKey] = Counter()
        for copy, count in zip(group.copies, units, strict=True):
            base_units[self._partition(group.table, copy)] += count.base
        return await self._target.limits.admit(base_units, sum(count.everywhere for count in units))

    async def _reject(self, rejections: Sequence[Rejection]) -> Outcomes:
        outcomes = sum([await self._quarantine(rejection) for rejection in rejections], Outcomes())
        self._acknowledged(outcomes)
        return outcomes

    async def _quarantine(self, rejection: Rejection) -> Outcomes:
        """Quarantine the old item, unless it has changed since it was read: then its stream change decides about it."""
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
    """How one request has settled the copies of a group."""

    group: Group
    results: Sequence[bool | None]
    """By index: True copied, False the key was present, None neither."""
    refused: Map[int, Poison] = field(default_factory=dict)
    """By index: copies whose item DynamoDB refuses to store."""
    throttled: InsertThrottled | None = None

    @property
    def rejections(self) -> list[Rejection]:
        """The refused copies, for the quarantine."""
        return [Rejection(self.group.copies[index].old, poison) for index, poison in self.refused.items()]

    @property
    def unsettled(self) -> list[Copy]:
        """The copies that are still to be written."""
        return [
            copy
            for index, (copy, result) in enumerate(zip(self.group.copies, self.results, strict=True))
            if result is None and index not in self.refused
        ]


def units_taken(result: bool | None, units: InsertUnits) -> int:
    """The write units of one copy: none when it was throttled, and none in the indexes when its key was present
    (https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/read-write-operations.html)."""
    if result is None:
        return 0
    return units.everywhere if result else units.base
