"""Runs measured programs, each in a process of its own, and keeps the best of several runs."""

import json
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

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
    figures: Figures = printed_by([*module, work, url, str(items)], trusting(authority))
    note(f"{program:8}{work:10}{figures['items']:9.0f} items {figures['cpu_us']:8.0f} us CPU an item")
    return Run(program, work, figures)


def printed_by(module: Sequence[str], environment: dict[str, str] | None = None) -> Any:
    """What a module of the benchmark, with its arguments, prints as JSON. Raises RuntimeError when it fails."""
    done = subprocess.run(
        [sys.executable, "-m", *module], cwd=ROOT, env=environment, check=False, capture_output=True, text=True
    )
    if done.returncode:
        raise RuntimeError(f"{' '.join(module)} failed: {done.stderr}")
    return json.loads(done.stdout)


def note(line: str) -> None:
    """Show what has just been measured."""
    print(line, file=sys.stderr, flush=True)


def best(program: str, work: str, runs: Sequence[Run]) -> Figures:
    """The run with the least CPU: anything above it comes from other work of the machine."""
    matching = [run.figures for run in runs if (run.program, run.work) == (program, work)]
    return min(matching, key=lambda figures: figures["cpu_us"])
