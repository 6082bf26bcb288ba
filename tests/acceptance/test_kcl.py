"""The kcl engine with real processes: children, daemons and workers are killed, and the engine is changed, under live writers."""

import asyncio
import signal
import subprocess
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import ExitStack, asynccontextmanager
from pathlib import Path
from random import Random

import psutil
import pytest

from service.clock import SystemClock
from service.rehearsal.demo.items import old_items
from service.streams.kcl.lease_table import SUFFIXES as KCL_TABLES
from tests.acceptance.command_line import QUICK, CommandLine, ended, until
from tests.acceptance.outside_view import expected_from_outside, v2_from_outside
from tests.builders.planes import open_plane
from tests.fakes.kcl import kcl_settings, require_kcl
from tests.fakes.live_writer import LiveWriter

pytestmark = [pytest.mark.local, pytest.mark.kill, pytest.mark.slow]

OPPORTUNITIES = 200
STREAMS = 5
"""One shard each, as DynamoDB Local has them."""

LEASE = {"TABLESPLIT_LEASE_SECONDS": "6", "TABLESPLIT_HEARTBEAT_SECONDS": "1"}
STOPS_WITHIN_SECONDS = 120

Choice = Callable[[subprocess.Popen[bytes]], list[psutil.Process]]
"""Which of a worker's processes may be killed; none: it has none of them now."""


async def test_killed_children_daemons_and_workers_lose_nothing_under_live_writers(
    own_dynamodb_local: str, table_prefix: str, tmp_path: Path
) -> None:
    cli = await _migrating(own_dynamodb_local, table_prefix, tmp_path)
    with ExitStack() as stack:
        workers = [stack.enter_context(ended(_worker(cli))) for _ in range(2)]
        async with _writers(cli) as writes:
            await asyncio.to_thread(cli.run, "migrate")
            await asyncio.to_thread(_all_shards_are_read, cli, workers)
            random = Random(7)
            for choose in (_child, _daemon, _child, _daemon, _child, _itself):
                await asyncio.to_thread(_kill, cli, workers, choose, random)
            workers.append(stack.enter_context(ended(_worker(cli))))
        await asyncio.to_thread(_judge, cli, writes)
        for worker in workers:
            await asyncio.to_thread(_stop, worker)


async def test_changing_the_engine_there_and_back_under_live_writers_loses_nothing(
    own_dynamodb_local: str, table_prefix: str, tmp_path: Path
) -> None:
    cli = await _migrating(own_dynamodb_local, table_prefix, tmp_path)
    with ExitStack() as stack:
        async with _writers(cli) as writes:
            former = stack.enter_context(ended(_worker(cli, TABLESPLIT_ENGINE="embedded")))
            await asyncio.to_thread(cli.run, "migrate")
            for engine in ("kcl", "embedded", "kcl"):
                follower = stack.enter_context(ended(_worker(cli, TABLESPLIT_ENGINE=engine)))
                await asyncio.to_thread(_stop, former)
                await asyncio.to_thread(cli.catches_up)
                former = follower
        await asyncio.to_thread(_judge, cli, writes)
        await asyncio.to_thread(_stop, former)
    dropped = (await asyncio.to_thread(cli.run, "drop-tables", "--yes"))["dropped"]
    assert len(dropped) == 5 + len(KCL_TABLES) * STREAMS
    assert await asyncio.to_thread(lambda: cli.dynamodb.list_tables()["TableNames"]) == [cli.table("OLD_TABLE_NAME")]


async def _migrating(endpoint: str, prefix: str, folder: Path) -> CommandLine:
    require_kcl()
    cli = CommandLine(endpoint, prefix, folder, QUICK | LEASE | kcl_settings(folder, prefix))
    await asyncio.to_thread(cli.make_old_table, old_items(OPPORTUNITIES))
    await asyncio.to_thread(cli.run, "create-tables")
    return cli


@asynccontextmanager
async def _writers(cli: CommandLine) -> AsyncIterator[Counter[str]]:
    """Two writers on the old table for the block; at its end their acknowledged writes, counted by kind."""
    items = list(old_items(OPPORTUNITIES))
    writes: Counter[str] = Counter()
    quiet = asyncio.Event()
    async with open_plane(cli.endpoint, clock=SystemClock()) as store, asyncio.TaskGroup() as tasks:
        writers = [LiveWriter(store, cli.table("OLD_TABLE_NAME"), items[n::5], seed=n) for n in range(2)]
        for writer in writers:
            tasks.create_task(writer.run(quiet, SystemClock(), 0.1))
        try:
            yield writes
        finally:
            quiet.set()
    for writer in writers:
        writes.update(writer.counts)


def _worker(cli: CommandLine, **settings: str) -> subprocess.Popen[bytes]:
    return cli.start("sync", "--no-http", **settings)


def _judge(cli: CommandLine, writes: Counter[str]) -> None:
    cli.catches_up()
    report = cli.ask("validate")
    assert writes.total() > 100
    assert report["result"] == "equal", report["differences"]
    assert v2_from_outside(cli) == expected_from_outside(cli)


def _stop(worker: subprocess.Popen[bytes]) -> None:
    """SIGTERM ends the worker with status 0, and leaves no process behind."""
    if worker.poll() is None:
        family = psutil.Process(worker.pid).children(recursive=True)
        worker.send_signal(signal.SIGTERM)
        assert worker.wait(STOPS_WITHIN_SECONDS) == 0
        assert psutil.wait_procs(family, timeout=STOPS_WITHIN_SECONDS)[1] == []


def _kill(cli: CommandLine, workers: list[subprocess.Popen[bytes]], choose: Choice, random: Random) -> None:
    """Kill -9 one process, wait until it and the processes that it has started are gone, then until every shard is read again."""
    victim = _victim(cli, workers, choose, random)
    gone = [victim, *_children(victim)]
    victim.kill()
    until(lambda: not any(map(_lives, gone)), within=90, otherwise=lambda: f"still alive: {gone}")
    _all_shards_are_read(cli, workers)


def _victim(cli: CommandLine, workers: list[subprocess.Popen[bytes]], choose: Choice, random: Random) -> psutil.Process:
    """A process that ``choose`` finds in a worker that reads a shard. A lease may just be on its way from one worker to another,
    so there may be none at first."""
    chosen: list[psutil.Process] = []

    def look() -> list[psutil.Process]:
        chosen[:] = [process for worker in workers if _family(worker, "kcl.child") for process in choose(worker)]
        return chosen

    until(look, within=90, otherwise=lambda: cli.stderr_of("sync"))
    return random.choice(chosen)


def _all_shards_are_read(cli: CommandLine, workers: list[subprocess.Popen[bytes]]) -> None:
    until(
        lambda: sum(len(_family(worker, "kcl.child")) for worker in workers) == STREAMS,
        within=90,
        otherwise=lambda: cli.stderr_of("sync"),
    )


def _child(worker: subprocess.Popen[bytes]) -> list[psutil.Process]:
    return _family(worker, "kcl.child")


def _daemon(worker: subprocess.Popen[bytes]) -> list[psutil.Process]:
    return _family(worker, "StreamsMultiLangDaemon")


def _itself(worker: subprocess.Popen[bytes]) -> list[psutil.Process]:
    return [psutil.Process(worker.pid)] if worker.poll() is None else []


def _family(worker: subprocess.Popen[bytes], word: str) -> list[psutil.Process]:
    """The worker's living processes whose command line has ``word``."""
    if worker.poll() is not None:
        return []
    return [process for process in _children(psutil.Process(worker.pid)) if word in _command(process)]


def _children(process: psutil.Process) -> list[psutil.Process]:
    try:
        return process.children(recursive=True)
    except psutil.NoSuchProcess:  # it has just ended
        return []


def _command(process: psutil.Process) -> str:
    try:
        return " ".join(process.cmdline())
    except (psutil.NoSuchProcess, psutil.ZombieProcess):
        return ""


def _lives(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
