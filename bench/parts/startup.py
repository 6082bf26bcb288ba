"""What a command costs before it does anything."""

import os
import subprocess
import time

from bench import site
from bench.commands import environment, tablesplit
from bench.facts import Facts, startup
from bench.measure import note
from service.rehearsal.servers.local_servers import dynamodb_local

COMMANDS = ("--version", "status")
ROUNDS = 5
TITLE = "The start of a command"


def run(facts: Facts) -> list[str]:
    """The CPU and the time of each command, the least of some runs."""
    lines = ["| command | CPU | time |", "|---|---|---|"]
    with dynamodb_local() as url:
        site.make(url, site.Site())
        for command in COMMANDS:
            seconds = [_seconds(url, command) for _ in range(ROUNDS)]
            cpu, wall = (min(column) for column in zip(*seconds, strict=True))
            facts[startup(command)] = cpu
            lines.append(f"| `tablesplit {command}` | {cpu:.2f} s | {wall:.2f} s |")
    return lines


def _seconds(url: str, command: str) -> tuple[float, float]:
    """CPU and time."""
    before, began = _of_children(), time.perf_counter()
    subprocess.run(tablesplit(command), env=environment(url), check=True, capture_output=True)
    cpu, wall = _of_children() - before, time.perf_counter() - began
    note(f"tablesplit {command:10} {cpu:.2f} s of CPU")
    return cpu, wall


def _of_children() -> float:
    times = os.times()
    return times.children_user + times.children_system
