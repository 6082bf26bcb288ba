"""``make bench``: measures tablesplit and plain boto3 in turn, and writes docs/BENCH.md."""

import asyncio
import json
import os
import platform
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path

import boto3

from bench import dual
from bench.items import many_items
from bench.plain_boto3 import client
from service.config import Settings
from service.environment import load_configured_mapping, use_local_credentials
from service.errors import TablesplitError
from service.rehearsal.servers.local_servers import dynamodb_local

ROOT = Path(__file__).parent.parent
WORK = {"copy": "backfill", "apply": "stream apply", "validate": "validation"}
ROUNDS = 3
"""Runs of each piece of work. The least CPU counts: anything above it comes from other work of the machine."""

ITEMS, LOCAL_ITEMS = 10_000, 2_000
SIZES = (10_000, 100_000)
Figures = dict[str, float]


def measured(program: str, work: str, url: str, items: int) -> Figures:
    """Run one piece of work in a process of its own; returns its figures."""
    command = [sys.executable, "-m", "bench.work", program, work, url, str(items)]
    done = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True)
    figures: Figures = json.loads(done.stdout)
    print(f"{program:6}{work:10}{items:8} items {figures['cpu_us']:8.0f} us CPU an item", file=sys.stderr, flush=True)
    return figures


def best(program: str, work: str, runs: list[tuple[str, str, Figures]]) -> Figures:
    """The run with the least CPU."""
    matching = (figures for run_program, run_work, figures in runs if (run_program, run_work) == (program, work))
    return min(matching, key=lambda figures: figures["cpu_us"])


@contextmanager
def memory_server(items: int) -> Iterator[str]:
    """Run the server of ``bench.server`` with so many items; gives its URL."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "bench.server", str(port), str(items)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE) as server:
        assert server.stdout is not None
        server.stdout.readline()
        try:
            yield f"http://127.0.0.1:{port}"
        finally:
            server.kill()


def on_memory_server() -> list[str]:
    """The table of what the client alone costs."""
    with memory_server(ITEMS) as url:
        runs = [
            (program, work, measured(program, work, url, ITEMS))
            for _ in range(ROUNDS)
            for work in WORK
            for program in ("ours", "plain")
        ]
    return table(runs)


def on_dynamodb_local() -> list[str]:
    """The table measured on DynamoDB Local; when that cannot run, a line that says why."""
    runs = []
    try:
        with dynamodb_local() as url:
            for program in ("plain", "ours"):
                make_tables(url)
                runs += [
                    (program, work, measured(program, work, url, LOCAL_ITEMS)) for work in ("copy", "validate", "apply")
                ]
                drop_tables(url)
    except TablesplitError as missing:
        return [f"Not measured: {missing}"]
    return table(runs)


def on_dual() -> list[str]:
    """The table of what a change costs in `dual`; when DynamoDB Local cannot run, a line that says why."""
    try:
        with dynamodb_local() as url:
            return dual.table(asyncio.run(dual.run(url, dual.ITEMS)))
    except TablesplitError as missing:
        return [f"Not measured: {missing}"]


def table(runs: list[tuple[str, str, Figures]]) -> list[str]:
    """A Markdown table of the best runs."""
    rows = [
        "| work | tablesplit: CPU an item | plain boto3: CPU an item | ratio | items/s | items/s, boto3 |",
        "|---|---|---|---|---|---|",
    ]
    for work, name in WORK.items():
        ours, plain = best("ours", work, runs), best("plain", work, runs)
        rows.append(
            f"| {name} | {ours['cpu_us']:.0f} us | {plain['cpu_us']:.0f} us | {plain['cpu_us'] / ours['cpu_us']:.1f} | "
            f"{ours['items_per_second']:.0f} | {plain['items_per_second']:.0f} |"
        )
    return rows


def memory_table() -> list[str]:
    """Peak memory of a process, by size of the table."""
    peaks: dict[str, list[float]] = {"copy": [], "validate": []}
    for items in SIZES:
        with memory_server(items) as url:
            for work, peaks_mb in peaks.items():
                peaks_mb.append(measured("ours", work, url, items)["peak_mb"])
    small, large = SIZES
    rows = [f"| work | {small:,} items | {large:,} items | ratio |", "|---|---|---|---|"]
    rows += [
        f"| {WORK[work]} | {peaks_mb[0]:.0f} MB | {peaks_mb[1]:.0f} MB | {peaks_mb[1] / peaks_mb[0]:.2f} |"
        for work, peaks_mb in peaks.items()
    ]
    return rows


def make_tables(url: str) -> None:
    """The old table with its items, and empty v2 tables, on a real server."""
    dynamodb, mapping = client(url), load_configured_mapping(Settings())
    shapes = {mapping.old.table: mapping.old.key_names} | {n: shape.key_names for n, shape in mapping.tables.items()}
    for name, keys in shapes.items():
        schema = [{"AttributeName": key, "KeyType": kind} for key, kind in zip(keys, ("HASH", "RANGE"), strict=True)]
        types = [{"AttributeName": key, "AttributeType": "S"} for key in keys]
        dynamodb.create_table(
            TableName=name, KeySchema=schema, AttributeDefinitions=types, BillingMode="PAY_PER_REQUEST"
        )
    puts = [{"PutRequest": {"Item": item}} for item in many_items(LOCAL_ITEMS)]
    for start in range(0, len(puts), 25):
        dynamodb.batch_write_item(RequestItems={mapping.old.table: puts[start : start + 25]})


def drop_tables(url: str) -> None:
    """Delete all tables of the server."""
    dynamodb = client(url)
    for name in dynamodb.list_tables()["TableNames"]:
        dynamodb.delete_table(TableName=name)


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


def main() -> None:
    """Measure everything, and write the results."""
    use_local_credentials()
    client_cost, memory, local, changes = on_memory_server(), memory_table(), on_dynamodb_local(), on_dual()
    page = [
        "# Benchmark",
        "",
        "Written by `make bench`.",
        "Ratios are against plain boto3 doing the same work with the same mapping in the same run.",
        "`bench/plain_boto3.py` is that: client level, pages, conditional puts, batched reads; no inverse check and no report.",
        f"CPU is that of the client process, the least of {ROUNDS} runs by turns.",
        "Items a second depend on the machine's other work.",
        "",
        f"Machine: {machine()}.",
        "",
        f"## The client alone: {ITEMS:,} items, a server that answers from memory",
        "",
        *client_cost,
        "",
        "## Peak memory of the process",
        "",
        *memory,
        "",
        f"## DynamoDB Local, {LOCAL_ITEMS:,} items, one run",
        "",
        *local,
        "",
        "## A change of the old table in `dual`: DynamoDB Local, one run",
        "",
        "The application changes the old table; forward carries the changes to v2, and reverse passes what forward has written.",
        "",
        *changes,
        "",
    ]
    (ROOT / "docs" / "BENCH.md").write_text("\n".join(page))


if __name__ == "__main__":
    main()
