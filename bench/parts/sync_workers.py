"""A lane of `sync` read by one process with the embedded engine, and by several with the kcl engine."""

import asyncio
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial

import psutil

from bench import site
from bench.commands import environment, tablesplit
from bench.facts import Facts
from bench.measure import note
from bench.servers import ROOT, memory_server
from service.app import App, open_app
from service.control.workers import Workers
from service.rehearsal.servers.local_servers import dynamodb_local
from service.streams.kcl.daemon import JAR

ITEMS = 20_000
SHARDS = 4
IDLE_SECONDS = 15.0
LOOK_SECONDS = 0.5
DEADLINE_SECONDS = 600
ENGINES = (("embedded", 1), ("kcl", 1), ("kcl", 2))
JARS = ROOT / "deploy" / "kcl" / "target"
PROPERTIES = "clientVersionConfig = CLIENT_VERSION_CONFIG_COMPATIBLE_WITH_2X\n"
"""As the tests of the engine have it."""

HEAD = (
    "| engine, workers | processes | CPU until the first change | CPU a change | beyond that at rest | changes/s | CPU at rest |",
    "|---|---|---|---|---|---|---|",
)


@dataclass(frozen=True, slots=True)
class Moment:
    """What was done at a time: changes applied by all workers, seconds, CPU seconds of all their processes."""

    applied: int
    seconds: float
    cpu: float


def run(_: Facts) -> list[str]:
    """A row for each engine and number of workers. Raises RuntimeError where the daemon of the kcl engine is not built."""
    if shutil.which("java") is None or not (JARS / JAR).is_file():
        raise RuntimeError("the kcl engine's daemon is not built: make kcl")
    lines = [*HEAD]
    with dynamodb_local() as other:
        for engine, workers in ENGINES:
            with memory_server(0, other, shards=SHARDS) as empty:
                site.make(empty, site.Site())
            with memory_server(ITEMS, other, shards=SHARDS) as url:
                lines.append(_row(url, engine, workers))
    return lines


def _row(url: str, engine: str, workers: int) -> str:
    with _working(url, engine, workers) as processes:
        first, last, idle = asyncio.run(_watched(url, partial(_cpu_of, processes)))
        count = sum(1 for process in processes for _ in _family(process))
    changes = last.applied - first.applied
    a_change = (last.cpu - first.cpu) / changes
    a_second = changes / (last.seconds - first.seconds)
    at_rest = (idle.cpu - last.cpu) / (idle.seconds - last.seconds)
    return line(f"{engine}, {workers}", count, first.cpu, a_change, a_second, at_rest)


def line(name: str, processes: int, start: float, a_change: float, a_second: float, at_rest: float) -> str:
    """A row of the table. CPU in seconds: until the first change, for a change, and of each second at rest."""
    beyond = a_change - at_rest / a_second  # a slow machine pays for more time at rest, which is not the changes' cost
    row = (
        f"| {name} | {processes} | {start:.1f} s | {a_change * 1e6:.0f} us | {beyond * 1e6:.0f} us | {a_second:.0f} | "
        f"{at_rest:.0%} of a core |"
    )
    note(row)
    return row


@contextmanager
def _working(url: str, engine: str, workers: int) -> Iterator[list[psutil.Process]]:
    """The workers, as an operator starts them; they are stopped at the end."""
    with ExitStack() as stack, tempfile.TemporaryFile() as output, tempfile.NamedTemporaryFile("w") as properties:
        properties.write(PROPERTIES)
        properties.flush()
        kcl = {"JARS": str(JARS), "PROPERTIES": properties.name, "HEAP_MB": "128"}
        settings = {"TABLESPLIT_ENGINE": engine, **{f"TABLESPLIT_KCL_{name}": value for name, value in kcl.items()}}
        started = [
            subprocess.Popen(
                tablesplit("sync", "--no-http"), env=environment(url, **settings), stdout=output, stderr=output
            )
            for _ in range(workers)
        ]
        for process in started:
            stack.callback(process.wait)
            stack.callback(process.terminate)
        yield [psutil.Process(process.pid) for process in started]
        if any(process.poll() is not None for process in started):
            output.seek(0)
            raise RuntimeError(output.read().decode()[-2000:])


def _family(process: psutil.Process) -> list[psutil.Process]:
    return [process, *process.children(recursive=True)]


def _cpu_of(processes: list[psutil.Process]) -> float:
    """Of the workers, their daemons and children, those that have ended too."""
    seconds = 0.0
    for process in processes:
        for one in _family(process):
            try:
                times = one.cpu_times()
            except psutil.NoSuchProcess:
                continue
            seconds += times.user + times.system + times.children_user + times.children_system
    return seconds


async def _watched(url: str, cpu: Callable[[], float]) -> tuple[Moment, Moment, Moment]:
    """When the first changes are seen to be applied, when all are, and IDLE_SECONDS later."""
    async with open_app(site.settings_of(url)) as app, asyncio.timeout(DEADLINE_SECONDS):
        first = await _when(app, cpu, 1)
        last = await _when(app, cpu, ITEMS)
        await asyncio.sleep(IDLE_SECONDS)
        return first, last, Moment(last.applied, time.perf_counter(), cpu())


async def _when(app: App, cpu: Callable[[], float], changes: int) -> Moment:
    workers = Workers(app.control, app.clock)
    while True:
        beats = await workers.watch(0)
        applied = sum(sum(seen.beat.forward.outcomes.values()) for seen in beats.values())
        if applied >= changes:
            return Moment(applied, time.perf_counter(), cpu())
        await asyncio.sleep(LOOK_SECONDS)
