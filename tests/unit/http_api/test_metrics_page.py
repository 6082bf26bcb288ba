"""The metrics page of a sync process: it is served whether or not DynamoDB answers."""

import asyncio
from math import isnan
from typing import Any

import httpx
import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parsed

from service.core.item.write import Put
from service.errors import Fatal, Retryable
from service.http_api.server import create_http_api
from service.http_api.view import HttpView
from service.migration.start import create_and_start
from service.migration.status.snapshot import log_status
from service.sync.forward_lane import ForwardLane
from service.sync.reverse_lane import ReverseLane
from service.sync.worker import Lanes, sync_lanes
from tests.builders.small_crm import MAPPING
from tests.fakes.http_view import ACCESS
from tests.worlds.start_world import Started

OPENMETRICS = "application/openmetrics-text;version=1.0.0"


@pytest.fixture
async def world() -> Started:
    world = Started()
    await create_and_start(world.app)
    return world


async def page(world: Started) -> dict[str, float]:
    """The samples without labels, and those of the phase, of a page in OpenMetrics."""
    lanes = Lanes(ForwardLane(world.app), ReverseLane(world.app))
    content, content_type = await HttpView(world.app, lanes).metrics(OPENMETRICS)
    assert content_type.startswith(OPENMETRICS.split(";")[0])
    samples = [sample for family in parsed(content.decode()) for sample in family.samples]
    return {sample.labels.get("phase", sample.name): sample.value for sample in samples if len(sample.labels) < 2}


async def test_the_page_shows_the_migration(world: Started) -> None:
    samples = await page(world)
    assert (samples["tablesplit_status_readable"], samples["forward"], samples["dual"]) == (1, 1, 0)


AWAY: list[Exception] = [
    Retryable("no answer", reason="timeout"),
    Fatal("table control was not found"),
    ZeroDivisionError(),
]


@pytest.mark.parametrize("answer", AWAY, ids=["away", "gone", "a bug"])
async def test_the_page_is_served_without_dynamodb_and_says_so(world: Started, answer: Exception) -> None:
    await page(world)

    async def refuse(*_: Any) -> None:
        raise answer

    world.db.before = refuse
    world.app.metrics.count_write("forward", "applied")
    samples = await page(world)
    assert samples["tablesplit_status_readable"] == 0
    assert isnan(samples["forward"])
    assert isnan(samples["tablesplit_quarantine_keys"])
    assert samples["process_start_time_seconds"] > 0  # the process's own metrics are still there
    world.db.before = None
    assert (await page(world))["tablesplit_status_readable"] == 1


async def test_a_server_that_restarts_empty_under_a_running_sync_is_reported(world: Started) -> None:
    async with sync_lanes(world.app, log_status(world.app)):
        await world.clock.advance(10)
        samples = await page(world)
        assert (samples["tablesplit_status_readable"], samples["tablesplit_ready"], samples["forward"]) == (1, 1, 1)
        for table in world.db.tables.values():
            table.items.clear()
        for name in ("old", *MAPPING.tables):
            world.db.create_table(name, world.db.tables[name].key)
        world.tables.arn += "2"
        await world.clock.advance(60)
        samples = await page(world)
        assert (samples["tablesplit_status_readable"], samples["tablesplit_ready"]) == (0, 0)
        assert isnan(samples["forward"])


async def test_a_process_that_cannot_report_still_says_that_its_lanes_have_stopped(world: Started) -> None:
    async def hang(_: str, subject: object) -> None:
        if isinstance(subject, Put) and subject.item["pk"] == {"S": "worker"}:
            await asyncio.Event().wait()

    async with sync_lanes(world.app, log_status(world.app)):
        await world.clock.advance(10)
        world.db.before = hang
        await world.clock.advance(1)
        world.db.stream("old").status = "DISABLED"
        await world.clock.advance(10)
        assert (await page(world))["tablesplit_ready"] == 0


@pytest.mark.parametrize(("accept", "kind"), [(OPENMETRICS, "application/openmetrics-text"), ("*/*", "text/plain")])
async def test_a_client_that_accepts_openmetrics_gets_it(world: Started, accept: str, kind: str) -> None:
    lanes = Lanes(ForwardLane(world.app), ReverseLane(world.app))
    transport = httpx.ASGITransport(create_http_api(HttpView(world.app, lanes), ACCESS, world.app.clock))
    async with httpx.AsyncClient(transport=transport, base_url="http://tablesplit") as http:
        answer = await http.get("/metrics", headers={"Accept": accept})
    assert answer.headers["content-type"].startswith(kind)
    assert answer.headers.get_list("content-type") == [answer.headers["content-type"]]
    assert "tablesplit_status_readable 1.0" in answer.text


async def test_a_new_and_empty_server_is_not_shown_as_a_migration_that_has_not_begun(world: Started) -> None:
    world.db.tables["control"].items.clear()
    samples = await page(world)
    assert samples["tablesplit_status_readable"] == 0
    assert isnan(samples["prepare"])
