"""Simulates the backfill: tasks copy their segments in bundles of windows, with the backfill's own limits, paces and window sizes.

``Partition`` takes the place of DynamoDB. A bundle waits for reads, CPU, limits, requests and the save, in the order of a window.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from math import ceil
from random import Random

from simpy import Interrupt, Process

from backfill.segment_copier import SCANS
from backfill.throttle import Pace, ThrottleWaits, WriteLimits
from backfill.window import FIRST_ITEMS, GROUP_ITEMS, WINDOW_UNITS, next_size
from bench.scale.copy_plan import DEFAULTS, READ_UNIT_BYTES, CopyPlan, CopyResult, CopyTally
from bench.scale.limits import PARTITION_WRITE_UNITS_PER_SECOND
from bench.scale.partitions import Partition
from bench.scale.simulated_time import SimulatedClock, Until

TABLE = "v2"


def simulate_copy(plan: CopyPlan) -> CopyResult:
    """Copy all items. The same plan gives the same result."""
    world = World(plan)
    everything = world.clock.start(world.all_tasks())
    world.clock.run(everything)
    partitions = max((partition.partitions for partition in world.partitions.values()), default=1)
    return CopyResult(plan, world.clock.now(), world.tally, dict(world.waits.seconds), min(world.ends), partitions)


class World:
    """What all tasks have in common."""

    def __init__(self, plan: CopyPlan) -> None:
        self.plan = plan
        self.clock = SimulatedClock()
        self.tally = CopyTally()
        self.waits = ThrottleWaits(self.clock, lambda _reason, _seconds: None)
        self.ends: list[float] = []
        names = [(TABLE, str(rank)) for rank in range(len(plan.hot_shares))]
        self.partitions = {name: Partition(self.clock, plan.slack_seconds, plan.splitting) for name in names}
        self.shares = dict(zip(names, plan.hot_shares, strict=True))

    async def all_tasks(self) -> None:
        """Run all tasks until each slice is copied."""
        running = [self.clock.start(Task(self, number).until_done()) for number in range(self.plan.tasks)]
        await Until(self.clock.environment.all_of(running))

    def save(self, items: int) -> None:
        """Count ``items`` more as copied, by a save of their segment's record."""
        tally = self.tally
        tally.saved += items
        if tally.saved >= tally.course[-1][1] + self.plan.items / 400 or tally.saved == self.plan.items:
            tally.course.append((self.clock.now(), tally.saved))


def segment_sizes(plan: CopyPlan, task: int) -> list[int]:
    """The number of items of each segment in a task's slice. All slices together have every item once."""
    bounds = [plan.items * number // plan.segments for number in range(plan.segments + 1)]
    return [bounds[number + 1] - bounds[number] for number in range(task, plan.segments, plan.tasks)]


class Task:
    """One array job. When it fails, its successor continues from what is saved."""

    def __init__(self, world: World, number: int) -> None:
        self._world = world
        self._random = Random(f"{world.plan.seed} {number}")
        self.left = segment_sizes(world.plan, number)

    async def until_done(self) -> None:
        """Start and work, and be taken over after each failure, until nothing is left."""
        world, plan = self._world, self._world.plan
        await world.clock.sleep(plan.start_seconds)
        while not await self._life():
            world.tally.failures += 1
            away = plan.lease_seconds + plan.start_seconds
            world.tally.takeover_seconds += away
            await world.clock.sleep(away)
        world.ends.append(world.clock.now())

    async def _life(self) -> bool:
        """Run one container. False: it has failed."""
        environment = self._world.clock.environment
        scans = Container(self._world, self.left).start_scans()
        done = environment.all_of(scans)
        if self._world.plan.mean_life_seconds is None:
            await Until(done)
            return True
        death = environment.timeout(self._random.expovariate(1 / self._world.plan.mean_life_seconds))
        await Until(done | death)
        for scan in scans:
            if scan.is_alive:
                scan.interrupt()
        return bool(done.processed)


class Container:
    """A running task. Its scans share one CPU, the limits, the requests under way and the size of the next window."""

    def __init__(self, world: World, left: list[int]) -> None:
        plan, clock = world.plan, world.clock
        self._world = world
        self._left = left
        self._cpu = Pace(clock, 1 / plan.copy_seconds)
        self._requests = Pace(clock, DEFAULTS.backfill_concurrency * GROUP_ITEMS / plan.request_seconds)
        self._limits = WriteLimits(clock, world.waits, plan.write_units_per_second / plan.tasks)
        self._window_items = FIRST_ITEMS

    def start_scans(self) -> list[Process]:
        """Start as many as the backfill scans at once."""
        todo = iter([index for index, items in enumerate(self._left) if items])
        return [self._world.clock.start(self._scan(todo)) for _ in range(SCANS)]

    async def _scan(self, todo: Iterator[int]) -> None:
        scan = ScanState()
        try:
            for index in todo:
                while self._left[index]:
                    await self._bundle(scan, index)
        except Interrupt:
            self._world.tally.redone += scan.in_flight

    async def _bundle(self, scan: "ScanState", index: int) -> None:
        plan, clock = self._world.plan, self._world.clock
        window = self._most_items()
        scan.index, scan.window, scan.items = index, window, min(self._left[index], plan.bundle_windows * window)
        pages = ceil(scan.items / min(window, DEFAULTS.page_items))
        await clock.sleep(pages * plan.request_seconds)
        await self._compute(scan.items)
        began, windows = clock.now(), ceil(scan.items / window)
        await self._write(scan)
        self._window_items = next_size(window, (clock.now() - began) / windows)

    def _most_items(self) -> int:
        """The size of the next window, by the time that the last one took, within the read units of a window."""
        return max(1, min(self._window_items, int(WINDOW_UNITS * READ_UNIT_BYTES / self._world.plan.item_bytes)))

    async def _compute(self, items: int) -> None:
        self._world.tally.cpu_seconds += items * self._world.plan.copy_seconds
        await self._world.clock.sleep(self._cpu.reserve(items) + items * self._world.plan.copy_seconds)

    async def _write(self, scan: "ScanState") -> None:
        """Write all copies of the bundle, in parts that are saved one after the other."""
        most = self._most_at_once(scan.window)
        while scan.items:
            scan.in_flight = min(scan.items, most)
            await (self._send_groups(scan.in_flight) if self._world.plan.by_request else self._send(scan.in_flight))
            await self._world.clock.sleep(scan.in_flight / scan.window * self._world.plan.request_seconds)
            self._save(scan)

    def _most_at_once(self, window: int) -> int:
        """The size of a part: a fifth of a bundle, or so many items that the hottest partition key takes its share of them within
        ``send_seconds``."""
        plan = self._world.plan
        fifth = window * max(1, plan.bundle_windows // 5)
        hottest = max(self._world.shares.values(), default=0.0) * plan.write_units
        return max(1, int(min(fifth, plan.send_seconds * PARTITION_WRITE_UNITS_PER_SECOND / max(hottest, 1e-9))))

    async def _send_groups(self, items: int) -> None:
        """Send in single requests which all wait for the limits at the same time, as the window copier does."""
        clock = self._world.clock
        groups = [min(GROUP_ITEMS, items - start) for start in range(0, items, GROUP_ITEMS)]
        await Until(clock.environment.all_of([clock.start(self._send(group)) for group in groups]))

    async def _send(self, items: int) -> None:
        """Wait for the limits and send, and repeat this for what was throttled until nothing is left, as the window copier does."""
        plan, world = self._world.plan, self._world
        units = {key: items * share * plan.write_units for key, share in world.shares.items()}
        total = float(items * plan.write_units)
        while total:
            reserved_at = await self._limits.admit(units or {(TABLE, "even"): 0.0}, total * plan.places)
            sent = total / plan.write_units
            seconds = self._requests.reserve(sent) + sent / self._requests.units_per_second
            await world.clock.sleep(seconds)
            units = {key: refused for key, count in units.items() if (refused := world.partitions[key].take(count))}
            world.tally.written_units += (total - sum(units.values())) * plan.places
            world.tally.throttled += self._limits.throttled(units, reserved_at)
            total = sum(units.values())

    def _save(self, scan: "ScanState") -> None:
        """Save the part that was in flight as acknowledged."""
        self._left[scan.index] -= scan.in_flight
        self._world.save(scan.in_flight)
        scan.items -= scan.in_flight
        scan.in_flight = 0


@dataclass(slots=True)
class ScanState:
    """One of the scans of a container."""

    index: int = 0
    """Of the segment."""
    items: int = 0
    """Of the bundle, not saved yet."""
    window: int = 1
    """Items of one window."""
    in_flight: int = 0
    """Items that were sent and not saved: they are written twice if the task fails now."""
