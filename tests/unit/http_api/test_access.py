"""Who may read and act: the name a request is sent to, whose token it has, and from which address it comes."""

import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import httpx
import pytest

from service.api_tokens import WITHOUT_NAME, parsed_tokens
from service.config import Settings
from service.errors import Misconfigured
from service.http_api.access import access_of
from service.http_api.server import create_http_api, serve_http
from service.http_api.wrong_tokens import WRONG_TOKENS_ALLOWED
from service.rehearsal.servers.local_servers import free_port
from tests.fakes.certificates import private_authority
from tests.fakes.clocks import VirtualClock
from tests.fakes.http_view import FakeView, problem

ALICE, BOB = "a" * 16, "b" * 16
TOKENS = f"alice:{ALICE}, bob:{BOB}"
READS = (
    "/v1/status", "/v1/validation", "/v1/validation/run-1", "/v1/quarantine", "/v1/conflicts", "/v1/verification", "/v1/audit",
    "/v1/gate", "/v1/phase", "/v1/events",
)  # fmt: skip
OPEN = ("/", "/healthz", "/readyz", "/metrics", "/docs", "/openapi.json", "/console/app.js")


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


@asynccontextmanager
async def client(view: FakeView, host: str = "127.0.0.1:8080", **settings: Any) -> AsyncIterator[httpx.AsyncClient]:
    """A client of the application that these settings make, which sends ``host`` as the Host."""
    api = create_http_api(view, access_of(Settings(**settings)), VirtualClock())
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=api), base_url=f"http://{host}") as http:
        yield http


@pytest.fixture
def view() -> FakeView:
    view = FakeView()
    view.report = {"id": "run-1"}
    return view


@pytest.mark.parametrize("host", ["127.0.0.1:8080", "localhost:8080", "[::1]:8080", "10.1.2.3", "SYNC", "x.localhost"])
async def test_this_machine_s_names_addresses_and_the_named_hosts_are_answered(view: FakeView, host: str) -> None:
    async with client(view, host, http_hosts="sync, tablesplit.example.com", api_token=TOKENS) as http:
        assert (await http.get("/v1/quarantine", headers=bearer(ALICE))).status_code == 200


@pytest.mark.parametrize("path", [*READS, *OPEN])
@pytest.mark.parametrize("host", ["attacker.example", "127.0.0.1.attacker.example:8080", "localhost.attacker.example"])
async def test_a_page_whose_name_was_pointed_here_reads_nothing(view: FakeView, host: str, path: str) -> None:
    async with client(view, host, http_hosts="sync") as http:
        status, detail = problem(await http.get(path))
    name = host.partition(":")[0]
    assert status == 421
    assert name in detail
    assert "TABLESPLIT_HTTP_HOSTS" in detail


@pytest.mark.parametrize("path", READS)
async def test_a_read_needs_a_token_where_other_machines_reach_the_port(view: FakeView, path: str) -> None:
    for exposed in (
        {"http_host": "0.0.0.0"},
        {"http_host": "sync"},
        {"http_proxies": "127.0.0.1"},
        {"http_hosts": "a.example"},
    ):
        async with client(view, api_token=TOKENS, **exposed) as http:
            assert problem(await http.get(path)) == (401, "send the header Authorization: Bearer <token>")
            assert (await http.get(path, headers=bearer(BOB))).status_code == 200
        async with client(view, **exposed) as http:
            assert problem(await http.get(path))[0] == 403


@pytest.mark.parametrize("path", READS)
async def test_on_a_loopback_address_a_read_needs_none(view: FakeView, path: str) -> None:
    async with client(view, api_token=TOKENS, http_host="127.0.0.1") as http:
        assert (await http.get(path)).status_code == 200


@pytest.mark.parametrize("path", OPEN)
async def test_probes_metrics_and_the_empty_page_need_none(view: FakeView, path: str) -> None:
    async with client(view, http_host="0.0.0.0") as http:
        assert (await http.get(path)).status_code == 200


async def test_the_owner_of_the_token_is_handed_on_with_each_action(view: FakeView) -> None:
    async with client(view, api_token=TOKENS) as http:
        await http.post("/v1/phase", headers=bearer(ALICE), json={"to": "dual"})
        await http.post("/v1/hold", headers=bearer(BOB), json={"why": "x"})
        await http.post("/v1/release", headers=bearer(ALICE))
    assert view.phases.by == ["alice", "bob", "alice"]


def test_one_token_needs_no_name() -> None:
    assert parsed_tokens(ALICE) == {ALICE: WITHOUT_NAME}
    assert parsed_tokens(TOKENS) == {ALICE: "alice", BOB: "bob"}


@asynccontextmanager
async def served(view: FakeView, **settings: Any) -> AsyncIterator[tuple[str, aiohttp.ClientSession]]:
    chosen = Settings(http_port=free_port(), api_token=TOKENS, **settings)
    async with serve_http(chosen, view, VirtualClock()) as address, aiohttp.ClientSession() as http:
        yield address, http


async def post(http: aiohttp.ClientSession, address: str, token: str, forwarded_for: str) -> int:
    headers = {**bearer(token), "X-Forwarded-For": forwarded_for}
    async with http.post(f"{address}/v1/release", headers=headers) as answer:
        return answer.status


async def test_no_address_of_a_request_s_own_choice_gets_round_the_limit(view: FakeView) -> None:
    async with served(view) as (address, http):
        guesses = [await post(http, address, "c" * 16, f"10.0.0.{guess}") for guess in range(WRONG_TOKENS_ALLOWED + 1)]
    assert guesses == [401] * WRONG_TOKENS_ALLOWED + [429]


async def test_a_guesser_keeps_no_right_token_waiting_and_behind_a_named_proxy_no_other_address(view: FakeView) -> None:
    async with served(view, http_proxies="127.0.0.1") as (address, http):
        for _ in range(WRONG_TOKENS_ALLOWED):
            await post(http, address, "c" * 16, "10.0.0.1")
        assert await post(http, address, "c" * 16, "10.0.0.1") == 429
        assert await post(http, address, ALICE, "10.0.0.1") == 200
        assert await post(http, address, "c" * 16, "10.0.0.2") == 401


async def test_with_a_certificate_it_speaks_tls(view: FakeView, tmp_path: Path) -> None:
    made = private_authority(tmp_path)
    trusting = ssl.create_default_context(cafile=str(made.bundle))
    async with served(view, http_certificate=made.certificate, http_certificate_key=made.key) as (address, http):
        assert address.startswith("https://127.0.0.1:")
        async with http.get(f"{address}/v1/status", ssl=trusting) as answer:
            assert answer.status == 200


async def test_a_certificate_that_cannot_be_used_is_named(view: FakeView, tmp_path: Path) -> None:
    made = private_authority(tmp_path)
    made.key.write_text("not a key")
    with pytest.raises(
        Misconfigured, match=f"^the certificate {made.certificate} cannot be used with its key"
    ) as refused:
        async with served(view, http_certificate=made.certificate, http_certificate_key=made.key):
            pass
    assert "TABLESPLIT_HTTP_CERTIFICATE_KEY" in refused.value.remedy
