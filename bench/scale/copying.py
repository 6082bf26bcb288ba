"""The backfill, simulated: tasks walk their segments in bundles of windows; limits, paces and window sizes are the backfill's own.

What stands for DynamoDB is ``Partition``; a bundle waits in the order read, CPU, limits, requests, save, as a window does.
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
    """Copy everything; the same plan gives the same result."""
    world = World(plan)
    everything = world.clock.start(world.all_tasks())
    world.clock.run(everything)
    partitions = max((one.partitions for one in world.partitions.values()), default=1)
    return CopyResult(plan, world.clock.now(), world.tally, dict(world.waits.seconds), min(world.ends), partitions)


class World:
    """What all tasks share."""

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
        """Until each task's slice is copied."""
        running = [self.clock.start(Task(self, number).until_done()) for number in range(self.plan.tasks)]
        await Until(self.clock.environment.all_of(running))

    def save(self, items: int, windows: float) -> None:
        """A segment's record says that ``items`` more are copied."""
        tally = self.tally
        tally.saved += items
        tally.windows += windows
        if tally.saved >= tally.course[-1][1] + self.plan.items / 400 or tally.saved == self.plan.items:
            tally.course.append((self.clock.now(), tally.saved))


def segment_sizes(plan: CopyPlan, task: int) -> list[int]:
    """Items of each segment in the slice of a task; all slices together hold every item once."""
    bounds = [plan.items * number // plan.segments for number in range(plan.segments + 1)]
    return [bounds[number + 1] - bounds[number] for number in range(task, plan.segments, plan.tasks)]


class Task:
    """One array job: it lives until it fails, and its successor goes on with what is saved."""

    def __init__(self, world: World, number: int) -> None:
        self._world = world
        self._random = Random(f"{world.plan.seed} {number}")
        self.left = segment_sizes(world.plan, number)

    async def until_done(self) -> None:
        """Start, work, and after a failure be taken over, until nothing is left."""
        world, plan = self._world, self._world.plan
        await world.clock.sleep(plan.start_seconds)
        while not await self._life():
            world.tally.failures += 1
            away = plan.lease_seconds + plan.start_seconds
            world.tally.takeover_seconds += away
            await world.clock.sleep(away)
        world.ends.append(world.clock.now())

    async def _life(self) -> bool:
        """One container's work. False: it has failed."""
        environment = self._world.clock.environment
        lanes = Container(self._world, self.left).start_lanes()
        done = environment.all_of(lanes)
        if self._world.plan.mean_life_seconds is None:
            await Until(done)
            return True
        death = environment.timeout(self._random.expovariate(1 / self._world.plan.mean_life_seconds))
        await Until(done | death)
        for lane in lanes:
            if lane.is_alive:
                lane.interrupt()
        return bool(done.processed)


class Container:
    """A running task: its lanes share one CPU, the limits, the requests under way and the size of the next window."""

    def __init__(self, world: World, left: list[int]) -> None:
        plan, clock = world.plan, world.clock
        self._world = world
        self._left = left
        self._cpu = Pace(clock, 1 / plan.copy_seconds)
        self._requests = Pace(clock, DEFAULTS.backfill_concurrency * GROUP_ITEMS / plan.request_seconds)
        self._limits = WriteLimits(clock, world.waits, plan.write_units_per_second / plan.tasks)
        self._window_items = FIRST_ITEMS

    def start_lanes(self) -> list[Process]:
        """As many as the backfill scans at once."""
        todo = iter([index for index, items in enumerate(self._left) if items])
        return [self._world.clock.start(self._lane(todo)) for _ in range(SCANS)]

    async def _lane(self, todo: Iterator[int]) -> None:
        lane = Lane()
        try:
            for index in todo:
                while self._left[index]:
                    await self._bundle(lane, index)
        except Interrupt:
            self._world.tally.redone += lane.in_flight

    async def _bundle(self, lane: "Lane", index: int) -> None:
        plan, clock = self._world.plan, self._world.clock
        window = self._most_items()
        lane.index, lane.window, lane.items = index, window, min(self._left[index], plan.bundle_windows * window)
        pages = ceil(lane.items / min(window, DEFAULTS.page_items))
        await clock.sleep(pages * plan.request_seconds)
        await self._compute(lane.items)
        began, windows = clock.now(), ceil(lane.items / window)
        await self._write(lane)
        self._window_items = next_size(window, (clock.now() - began) / windows)

    def _most_items(self) -> int:
        """Of a window: as the last one took, within the window's read units."""
        return max(1, min(self._window_items, int(WINDOW_UNITS * READ_UNIT_BYTES / self._world.plan.item_bytes)))

    async def _compute(self, items: int) -> None:
        self._world.tally.cpu_seconds += items * self._world.plan.copy_seconds
        await self._world.clock.sleep(self._cpu.reserve(items) + items * self._world.plan.copy_seconds)

    async def _write(self, lane: "Lane") -> None:
        """All copies, in parts that are saved one by one."""
        most = self._most_at_once(lane.window)
        while lane.items:
            lane.in_flight = min(lane.items, most)
            await (self._send_groups(lane.in_flight) if self._world.plan.by_request else self._send(lane.in_flight))
            await self._world.clock.sleep(lane.in_flight / lane.window * self._world.plan.request_seconds)
            self._save(lane)

    def _most_at_once(self, window: int) -> int:
        """A fifth of a bundle; or items of which the hottest partition key takes its share within ``send_seconds``."""
        plan = self._world.plan
        fifth = window * max(1, plan.bundle_windows // 5)
        hottest = max(self._world.shares.values(), default=0.0) * plan.write_units
        return max(1, int(min(fifth, plan.send_seconds * PARTITION_WRITE_UNITS_PER_SECOND / max(hottest, 1e-9))))

    async def _send_groups(self, items: int) -> None:
        """As the copier does: request by request, all waiting for the limits at the same time."""
        clock = self._world.clock
        groups = [min(GROUP_ITEMS, items - start) for start in range(0, items, GROUP_ITEMS)]
        await Until(clock.environment.all_of([clock.start(self._send(group)) for group in groups]))

    async def _send(self, items: int) -> None:
        """As the copier does: admitted, sent, and what was throttled again until nothing is left."""
        plan, world = self._world.plan, self._world
        units = {key: items * share * plan.write_units for key, share in world.shares.items()}
        total = float(items * plan.write_units)
        while total:
            await self._limits.admit(units or {(TABLE, "even"): 0.0}, total * plan.places)
            sent = total / plan.write_units
            seconds = self._requests.reserve(sent) + sent / self._requests.units_per_second
            await world.clock.sleep(seconds)
            units = {key: refused for key, count in units.items() if (refused := world.partitions[key].take(count))}
            world.tally.written_units += (total - sum(units.values())) * plan.places
            world.tally.throttled += self._limits.throttled(units)
            total = sum(units.values())

    def _save(self, lane: "Lane") -> None:
        """What was in flight is acknowledged, and the segment's record says so."""
        self._left[lane.index] -= lane.in_flight
        self._world.save(lane.in_flight, lane.in_flight / lane.window)
        lane.items -= lane.in_flight
        lane.in_flight = 0


@dataclass(slots=True)
class Lane:
    """One of a container's walks. items: of its bundle, not saved yet; window: how many a window has; in_flight: on their way, so
    that they may be written twice if the task fails now."""

    index: int = 0
    items: int = 0
    window: int = 1
    in_flight: int = 0
