"""Runs measured programs, each in a process of its own, and keeps the best of several runs."""

import json
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass

from bench.servers import ROOT, trusting
from tests.fakes.certificates import Authority

Figures = dict[str, float]
PROGRAMS = ("ours", "single", "batched")
WORK = {"copy": "backfill", "apply": "stream apply", "validate": "validation"}


@dataclass(frozen=True, slots=True)
class Run:
    """A program's figures for a piece of work."""

    program: str
    work: str
    figures: Figures


def measured(program: str, work: str, url: str, items: int, authority: Authority | None = None) -> Run:
    """Do one piece of work. ``program``: one of PROGRAMS; ``authority``: as ``memory_server`` has it."""
    module = ["bench.work"] if program == "ours" else ["bench.boto", program]
    done = subprocess.run(
        [sys.executable, "-m", *module, work, url, str(items)],
        cwd=ROOT,
        env=trusting(authority),
        check=False,
        capture_output=True,
        text=True,
    )
    if done.returncode:
        raise RuntimeError(f"{program} {work} failed: {done.stderr}")
    figures: Figures = json.loads(done.stdout)
    note(f"{program:8}{work:10}{figures['items']:9.0f} items {figures['cpu_us']:8.0f} us CPU an item")
    return Run(program, work, figures)


def note(line: str) -> None:
    """Show what has just been measured."""
    print(line, file=sys.stderr, flush=True)


def best(program: str, work: str, runs: Sequence[Run]) -> Figures:
    """The run with the least CPU: anything above it comes from other work of the machine."""
    matching = [run.figures for run in runs if (run.program, run.work) == (program, work)]
    return min(matching, key=lambda figures: figures["cpu_us"])
