"""`migrate --dry-run`: reports what a backfill would do with every old item, and writes nothing."""

import asyncio

import pytest

from backfill.dry_run import DryRunReport, dry_run
from backfill.options import BackfillOptions
from service.errors import Interrupted
from tests.builders.small_crm import MAPPING, lead
from tests.worlds.backfill_world import BAD, World


async def tried(world: World, stop: asyncio.Event | None = None) -> DryRunReport:
    return await dry_run(
        world.db,
        MAPPING,
        world.settings,
        world.clock,
        world.metrics,
        options=BackfillOptions(),
        stop=stop or asyncio.Event(),
    )


async def test_it_counts_what_would_be_written_and_rejected_and_writes_nothing() -> None:
    world = World()
    world.fill(20)
    world.put(BAD, lead("big", note={"S": "x" * 409_400}))
    written = len(world.db.written)
    report = await tried(world)
    assert len(world.db.written) == written
    assert not report.ok
    assert report.to_json() | {"bytes": 0, "largest_bytes": 0, "examples": []} == {
        "result": "dry run",
        "items": 22,
        "written": {"leads": 10, "deals": 10},
        "bytes": 0,
        "largest_bytes": 0,
        "rejected": {"unknown_entity": 1, "too_big": 1},
        "examples": [],
    }
    assert report.bytes > 20 * 100
    assert "would reject 1 items: unknown_entity" in report.to_text()
    assert "pk=LEAD#bad sk=METADATA" in report.to_text()


async def test_stopped_it_says_that_nothing_was_written() -> None:
    stop = asyncio.Event()
    stop.set()
    with pytest.raises(Interrupted, match="nothing was written"):
        await tried(World(), stop)
