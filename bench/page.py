"""docs/BENCH.md: the sections of the parts, and the goals beside what was reached."""

import os
import platform
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import boto3

from bench.about import ABOUT, CLIENT, DUAL, DUAL_CEILING, LAG, LOCAL, MEMORY, MISSED, PROFILE, STARTUP, TLS, WORKERS
from bench.facts import Facts
from bench.goals import table
from bench.kept import Found
from bench.parts import client, dual, dual_ceiling, lag, local, memory, profile, startup, workers
from bench.readme import write_readme
from bench.servers import ROOT

PAGE = ROOT / "docs" / "BENCH.md"


@dataclass(frozen=True, slots=True)
class Part:
    """A part of the benchmark."""

    title: str
    about: str
    """What its figures mean."""
    run: Callable[[Facts], list[str]]
    """Measures, keeps its findings among the facts, and returns its tables in Markdown."""


PARTS = {
    "client": Part(client.CLIENT, CLIENT, client.over_tcp),
    "profile": Part(profile.TITLE, PROFILE, profile.run),
    "tls": Part(client.TLS, TLS, client.over_tls),
    "memory": Part(memory.TITLE, MEMORY, memory.run),
    "local": Part(local.TITLE, LOCAL, local.run),
    "dual": Part(dual.TITLE, DUAL, dual.run),
    "dual-ceiling": Part(dual_ceiling.TITLE, DUAL_CEILING, dual_ceiling.run),
    "lag": Part(lag.TITLE, LAG, lag.run),
    "workers": Part(workers.TITLE, WORKERS, workers.run),
    "startup": Part(startup.TITLE, STARTUP, startup.run),
}


def section(name: str, lines: list[str]) -> list[str]:
    """The section of a part."""
    part = PARTS[name]
    return [f"## {part.title}", "", *([part.about, ""] if part.about else []), *lines, ""]


def write(parts: Mapping[str, Found]) -> None:
    """Write the page, and README.md's sentences."""
    PAGE.write_text("\n".join(page(parts)), encoding="utf-8")
    write_readme()


def page(parts: Mapping[str, Found]) -> list[str]:
    """The lines of the page."""
    facts = {name: value for one in parts.values() for name, value in one.facts.items()}
    return [
        "# Benchmark",
        "",
        ABOUT,
        "",
        f"Machine: {machine()}.",
        f"Measured on {days(parts)}.",
        "",
        "## Goals",
        "",
        *table(facts),
        "",
        MISSED,
        "",
        *(line for name, one in parts.items() for line in section(name, one.lines)),
    ]


def days(parts: Mapping[str, Found]) -> str:
    """The day on which the parts were measured; the parts of each, if they are several."""
    names: dict[str, list[str]] = {}
    for name, one in parts.items():
        names.setdefault(one.day, []).append(PARTS[name].title)
    if len(names) == 1:
        return next(iter(names))
    return "; ".join(f"{day}: {', '.join(titles)}" for day, titles in sorted(names.items()))


def machine() -> str:
    """The machine and the versions that the figures were measured with."""
    cpu = next(
        (line.partition(":")[2].strip() for line in _cpu_lines() if line.startswith("model name")), platform.machine()
    )
    return (
        f"{os.cpu_count()} x {cpu}, {platform.system()}, Python {platform.python_version()}, boto3 {boto3.__version__}, "
        f"httptools {version('httptools')}"
    )


def _cpu_lines() -> list[str]:
    path = Path("/proc/cpuinfo")
    return path.read_text().splitlines() if path.exists() else []
