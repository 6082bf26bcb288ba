"""Phase hooks: real executables and a real server that agree, refuse, hang, flap and check the signature."""

import asyncio
import hashlib
import hmac
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import orjson
import pytest
from aiohttp import web

from service.errors import Refused
from service.migration.phase.hook import SIGNATURE_HEADER, PhaseHooks
from service.telemetry.metrics import Metrics
from tests.builders.planes import WaitlessClock, plane_settings

SECRET = "a secret of the two"
MOVE, STATUS = {"to": "dual"}, {"phase": "forward"}


def hooks(hook: str | None, seconds: float = 10.0) -> PhaseHooks:
    settings = plane_settings(None, hook=hook, hook_secret=SECRET, hook_timeout_seconds=seconds, hook_attempts=3)
    return PhaseHooks(settings, WaitlessClock(), Metrics())


def executable(folder: Path, script: str) -> str:
    path = folder / "hook"
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return str(path)


def signed(body: bytes) -> str:
    return hmac.new(SECRET.encode(), body, hashlib.sha256).hexdigest()


async def test_without_a_hook_nothing_is_called() -> None:
    await hooks(None).before(MOVE, STATUS)
    await hooks(None).after(MOVE, STATUS)


async def test_an_executable_gets_the_document_and_its_signature(tmp_path: Path) -> None:
    hook = executable(tmp_path, f'cat > {tmp_path}/body; echo "$1 $2" > {tmp_path}/said')
    await hooks(hook).before(MOVE, STATUS)
    body = (tmp_path / "body").read_bytes()
    document = orjson.loads(body)
    assert {name: document[name] for name in ("event", "move", "status")} == {
        "event": "before",
        "move": MOVE,
        "status": STATUS,
    }
    assert (tmp_path / "said").read_text().split() == ["before", signed(body)]


async def test_an_executable_gets_no_credentials_and_no_tokens(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_SECRET_ACCESS_KEY", "TABLESPLIT_API_TOKEN", "TABLESPLIT_HOOK_SECRET", "DATABASE_URL", "TEAM"):
        monkeypatch.setenv(name, "secret-of-the-service")
    hook = executable(tmp_path, f"env > {tmp_path}/environment")
    settings = plane_settings(None, hook=hook, hook_secret=SECRET, hook_environment="TEAM, NOT_THERE")
    await PhaseHooks(settings, WaitlessClock(), Metrics()).before(MOVE, STATUS)
    got = dict(line.split("=", 1) for line in (tmp_path / "environment").read_text().splitlines())
    assert got["TEAM"] == "secret-of-the-service"
    assert got["PATH"]
    assert {name for name, value in got.items() if value == "secret-of-the-service"} == {"TEAM"}


async def test_an_executable_vetoes_with_its_last_line(tmp_path: Path) -> None:
    hook = executable(tmp_path, "echo looking; echo 'it is Friday' >&2; exit 4")
    with pytest.raises(Refused, match="vetoes the move: exit status 4: it is Friday"):
        await hooks(hook).before(MOVE, STATUS)


async def test_an_executable_that_hangs_is_killed_with_its_children_and_refuses_the_move(tmp_path: Path) -> None:
    hook = executable(tmp_path, f"echo x >> {tmp_path}/tries; sleep 600 & sleep 600")
    with pytest.raises(Refused, match=r"does not answer: no answer within 0\.2 s"):
        await hooks(hook, seconds=0.2).before(MOVE, STATUS)
    assert (tmp_path / "tries").read_text().count("x") == 3


async def test_an_executable_that_is_not_there_refuses_the_move(tmp_path: Path) -> None:
    with pytest.raises(Refused, match="does not answer: No such file"):
        await hooks(str(tmp_path / "gone")).before(MOVE, STATUS)


async def test_after_the_move_a_failing_hook_undoes_nothing(tmp_path: Path) -> None:
    await hooks(executable(tmp_path, "exit 1")).after(MOVE, STATUS)


@asynccontextmanager
async def served(answer: Callable[[web.Request], Any]) -> AsyncIterator[str]:
    app = web.Application()
    app.router.add_post("/hook", answer)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    assert site._server is not None
    port = site._server.sockets[0].getsockname()[1]  # type: ignore[attr-defined]  # asyncio's server has sockets
    try:
        yield f"http://127.0.0.1:{port}/hook"
    finally:
        await runner.cleanup()


async def test_a_url_gets_a_signed_post() -> None:
    got: list[tuple[bytes, str]] = []

    async def answer(request: web.Request) -> web.Response:
        got.append((await request.read(), request.headers[SIGNATURE_HEADER]))
        return web.Response()

    async with served(answer) as url:
        await hooks(url).before(MOVE, STATUS)
    ((body, signature),) = got
    assert signature == f"sha256={signed(body)}"
    assert orjson.loads(body)["event"] == "before"


async def test_a_url_vetoes_with_a_client_error() -> None:
    async def answer(_: web.Request) -> web.Response:
        return web.Response(status=409, text="\nnot while the sale is on\nmore")

    async with served(answer) as url:
        with pytest.raises(Refused, match="vetoes the move: HTTP status 409: not while the sale is on"):
            await hooks(url).before(MOVE, STATUS)


async def test_a_server_that_flaps_is_asked_again() -> None:
    asked: list[int] = []

    async def answer(_: web.Request) -> web.Response:
        asked.append(1)
        return web.Response(status=503 if len(asked) < 3 else 204)

    async with served(answer) as url:
        await hooks(url).before(MOVE, STATUS)
    assert len(asked) == 3


async def test_a_server_that_hangs_refuses_the_move() -> None:
    async def answer(_: web.Request) -> web.Response:
        await asyncio.Event().wait()
        raise AssertionError

    async with served(answer) as url:
        with pytest.raises(Refused, match=r"no answer within 0\.2 s"):
            await hooks(url, seconds=0.2).before(MOVE, STATUS)
