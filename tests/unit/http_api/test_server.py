"""A backfill's own metrics: served while it runs, if a port is set for them."""

import asyncio
import socket

import aiohttp
import pytest
from prometheus_client.parser import text_string_to_metric_families as parsed

from service.config import Settings
from service.errors import Misconfigured
from service.http_api.server import serve_metrics
from service.rehearsal.servers.local_servers import free_port
from service.telemetry.metrics import Metrics
from tests.fakes.clocks import VirtualClock
from tests.worlds.backfill_world import World


async def get(address: str, path: str) -> tuple[int, str]:
    async with aiohttp.ClientSession() as http, http.get(address + path) as answer:
        return answer.status, await answer.text()


async def test_it_is_served_while_the_copy_runs() -> None:
    world = World()
    world.fill(20)
    await world.start()
    held, half_way = asyncio.Event(), asyncio.Event()

    async def hold(operation: str, _: object) -> None:
        if operation == "insert" and len(world.db.items("leads")) == 5:
            half_way.set()
            await held.wait()

    world.db.before = hold
    settings = Settings(backfill_http_port=free_port())
    async with serve_metrics(settings, world.metrics, world.clock) as address:
        assert address is not None
        copying = world.begin()
        await half_way.wait()
        assert await get(address, "/healthz") == (200, "ok\n")
        status, page = await get(address, "/metrics")
        assert status == 200
        samples = {sample.name: sample.value for family in parsed(page) for sample in family.samples}
        assert samples["tablesplit_ready"] == 1
        assert "tablesplit_phase" not in samples
        held.set()
        await world.clock.until(copying.done)
    with pytest.raises(aiohttp.ClientConnectionError):
        await get(address, "/healthz")


async def test_without_a_port_nothing_is_served() -> None:
    async with serve_metrics(Settings(), Metrics(), VirtualClock()) as address:
        assert address is None


async def test_a_port_that_is_taken_is_named_with_the_setting_to_change() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(Misconfigured, match=f"^cannot listen on 127.0.0.1:{port}: ") as refused:
            async with serve_metrics(Settings(backfill_http_port=port), Metrics(), VirtualClock()):
                pass
    assert "TABLESPLIT_BACKFILL_HTTP_PORT" in refused.value.remedy


async def test_other_paths_do_not_exist() -> None:
    async with serve_metrics(Settings(backfill_http_port=free_port()), Metrics(), VirtualClock()) as address:
        assert (await get(address or "", "/v1/status"))[0] == 404
