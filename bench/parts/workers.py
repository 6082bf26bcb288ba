"""A backfill as one process, and as the jobs of an array."""

import os
import subprocess
import time

from bench import site
from bench.commands import environment, tablesplit
from bench.facts import Facts
from bench.measure import note
from bench.servers import memory_server
from service.rehearsal.servers.local_servers import dynamodb_local

ITEMS = 60_000
WORKERS = (1, 2)
TITLE = f"Workers: a backfill of {ITEMS:,} items as an array job, a server that answers from memory"


def run(_: Facts) -> list[str]:
    """A row for each number of workers."""
    lines = ["| workers | CPU, all together | CPU an item | time | items/s |", "|---|---|---|---|---|"]
    with dynamodb_local() as other, memory_server(ITEMS, other) as url:
        for workers in WORKERS:
            site.make(other, site.Site())
            cpu, seconds = _copied(url, workers)
            lines.append(
                f"| {workers} | {cpu:.1f} s | {cpu / ITEMS * 1e6:.0f} us | {seconds:.1f} s | {ITEMS / seconds:.0f} |"
            )
    return lines


def _copied(url: str, workers: int) -> tuple[float, float]:
    """CPU and time until the last worker has ended, their starts included."""
    began = time.perf_counter()
    running = [
        subprocess.Popen(tablesplit("migrate"), env=_job(url, index, workers), stdout=subprocess.PIPE)
        for index in range(workers)
    ]
    cpu = sum(map(_cpu_of, running))
    seconds = time.perf_counter() - began
    note(f"{workers} workers: {cpu:.1f} s of CPU in {seconds:.1f} s")
    return cpu, seconds


def _job(url: str, index: int, size: int) -> dict[str, str]:
    if size == 1:
        return environment(url)
    job = {"INDEX": str(index), "SIZE": str(size)}
    variables = {f"AWS_BATCH_JOB_ARRAY_{name}": value for name, value in job.items()}
    return environment(url, AWS_BATCH_JOB_ID=f"bench:{index}", **variables)


def _cpu_of(process: subprocess.Popen[bytes]) -> float:
    """Wait for its end."""
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0, process.args
    assert process.stdout is not None
    process.stdout.close()
    return used.ru_utime + used.ru_stime
