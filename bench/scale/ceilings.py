"""Which limit is reached first: each limit, how much of it the base load uses, and what that grows with. Arithmetic only."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from math import ceil

from backfill.segment_copier import SCANS
from backfill.window import MOST_ITEMS
from bench.scale import copy_experiments, limits, sync_experiments
from bench.scale.sync_plan import DEFAULTS
from bench.scale.tables import Table, percent
from service.core.shards import RETENTION_SECONDS
from service.streams.requests import DESCRIBE_SECONDS
from service.streams.shards import WHOLE_SECONDS_A_PAGE


@dataclass(frozen=True, slots=True)
class Ceiling:
    """A limit, and what the base load uses of it."""

    name: str
    demand: str
    limit: str
    used: float
    """The fraction of the limit."""
    grows: str
    """What the use is proportional to."""


def ceilings() -> list[Ceiling]:
    """All limits, the one that is reached first at the head."""
    return sorted([*_of_the_copy(), *_of_the_control_table(), *_of_the_stream()], key=lambda ceiling: -ceiling.used)


def ceilings_table() -> Table:
    """The table for docs/SCALE.md."""
    rows = [
        [ceiling.name, ceiling.demand, ceiling.limit, percent(ceiling.used), ceiling.grows] for ceiling in ceilings()
    ]
    return Table(["what", "base load", "limit", "used", "grows with"], rows)


def _of_the_copy() -> Iterator[Ceiling]:
    plan = copy_experiments.BASE
    speed = plan.fastest_items_per_second
    crm = max(copy_experiments.ENTITIES) * speed * plan.write_units
    key, most = max(plan.shares) * speed * plan.write_units, limits.PARTITION_WRITE_UNITS_PER_SECOND
    at_most = f"{most:,.0f} write units/s"
    yield Ceiling(
        "hottest v2 partition key, packaged CRM mapping", f"{crm:,.0f}", at_most, crm / most, "speed x share of the key"
    )
    yield Ceiling("hottest v2 partition key, base", f"{key:,.0f}", at_most, key / most, "speed x share of the key")
    each, quota = speed * plan.write_units, limits.TABLE_WRITE_UNITS_PER_SECOND
    yield Ceiling("one v2 table, if it takes all", f"{each:,.0f}", f"{quota:,.0f} write units/s", each / quota, "speed")
    cpu = speed * plan.copy_seconds
    yield Ceiling("backfill's CPU", f"{cpu:.1f} CPUs", f"{plan.tasks} tasks", cpu / plan.tasks, "speed")
    segment = speed * plan.item_bytes / 4096 / (plan.tasks * SCANS)
    top = limits.PARTITION_READ_UNITS_PER_SECOND
    yield Ceiling(
        "one segment's Scan", f"{segment:,.0f}", f"{top:,.0f} read units/s", segment / top, "speed / segments at once"
    )


def _of_the_control_table() -> Iterator[Ceiling]:
    copy, sync, most = copy_experiments.BASE, sync_experiments.BASE, limits.PARTITION_WRITE_UNITS_PER_SECOND
    saves = copy.fastest_items_per_second / MOST_ITEMS
    positions = sync.shards / DEFAULTS.checkpoint_every_seconds
    leases = (copy.tasks + sync.tasks) / DEFAULTS.heartbeat_seconds
    at_most = f"{most:,.0f} write units/s"
    yield Ceiling("control table: positions", f"{positions:,.0f}", at_most, positions / most, "shards")
    yield Ceiling("control table: segments", f"{saves:,.0f}", at_most, saves / most, "speed / items of a window")
    yield Ceiling("control table: leases", f"{leases:,.0f}", at_most, leases / most, "tasks")


def _of_the_stream() -> Iterator[Ceiling]:
    plan, burst = sync_experiments.BASE, sync_experiments.BURST.factor
    peak = plan.changes_per_second * burst
    yield Ceiling(
        "sync's CPU in a burst", f"{peak:,.0f} changes/s", f"{plan.capacity:,.0f}", peak / plan.capacity, "changes"
    )
    yield _one_process()
    hot, most = plan.hottest_shard(burst), plan.shard_changes_per_second
    yield Ceiling(
        "GetRecords of the busiest shard in a burst", f"{hot:,.0f}", f"{most:,.0f} records/s", hot / most, "its changes"
    )
    yield _listing()


def _one_process() -> Ceiling:
    plan = replace(sync_experiments.BASE, tasks=1)
    used = plan.requests_cpu + plan.looks_cpu + plan.changes_per_second * plan.apply_seconds
    return Ceiling(
        "CPU of the one process of the embedded engine", f"{used:.1f} CPUs", "1 CPU", used, "changes, and shards"
    )


def _listing() -> Ceiling:
    """A listing has all shards of the retention time. Its pages are paced, the next one waits for as many seconds as it has pages,
    and in between one request lists what is new."""
    plan = sync_experiments.BASE
    shards = plan.shards * (1 + RETENTION_SECONDS / limits.SHARD_LIFE_SECONDS)
    calls = ceil(shards / limits.SHARDS_A_LISTING)
    pause = calls * WHOLE_SECONDS_A_PAGE
    rate = (calls + pause / DEFAULTS.shard_discovery_seconds) / (calls * DESCRIBE_SECONDS + pause)
    return Ceiling(
        "DescribeStream, to list the shards", f"{rate:,.1f}", f"{limits.LISTINGS_PER_SECOND:.0f} calls/s",
        rate / limits.LISTINGS_PER_SECOND, "shards",
    )  # fmt: skip
