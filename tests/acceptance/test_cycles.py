"""Cutover and rollback several times, with real processes, four outside writers, and kill -9 at every recorded step."""

import json
import os
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from service.rehearsal.history import History, Logged
from service.rehearsal.judgement import judge
from tests.acceptance.command_line import QUICK, CommandLine, ended, until
from tests.acceptance.outside_application import COUNTER, SideLog, Writer, old_items, watched_of
from tests.fakes.kcl import kcl_settings, require_kcl

pytestmark = [pytest.mark.local, pytest.mark.kill, pytest.mark.slow]

CYCLES = int(os.environ.get("TABLESPLIT_TEST_CYCLES") or 2)
"""`TABLESPLIT_TEST_CYCLES=10` takes ten minutes."""

KCL_CYCLES = 1
"""With the kcl engine: after each kill its daemons take ten seconds to start."""

KILLED_CYCLES = 1
"""In these cycles the moving command is killed at every step of every move; in all cycles the service is killed twice."""

WRITING_SECONDS = 0.6
"""How long the writers write between moves, in real time: neither they nor the processes have a test clock."""
FIRST = ("settle", "switch", "horizon", "drain", "observe", "arm", "fence", "enter")
LATER = ("announce", "acknowledge")
SETTINGS = QUICK | {
    "TABLESPLIT_LEASE_SECONDS": "2",
    "TABLESPLIT_REQUEST_TIMEOUT_SECONDS": "2",
    "TABLESPLIT_SHARD_DISCOVERY_SECONDS": "0.2",
    "TABLESPLIT_CLOCK_MARGIN_SECONDS": "0.5",
    "TABLESPLIT_GATE_LAG_SECONDS": "120",
    "TABLESPLIT_GATE_LAG_LOW_SECONDS": "0",
    "TABLESPLIT_GATE_QUIET_SECONDS": "1",
}


def test_cutovers_and_rollbacks_under_writers_and_kills_lose_no_write(
    own_dynamodb_local: str, table_prefix: str, tmp_path: Path
) -> None:
    cycle_repeatedly(CommandLine(own_dynamodb_local, table_prefix, tmp_path, SETTINGS), CYCLES, KILLED_CYCLES)


def test_with_the_kcl_engine_they_lose_none_either(own_dynamodb_local: str, table_prefix: str, tmp_path: Path) -> None:
    require_kcl()
    settings = SETTINGS | kcl_settings(tmp_path, table_prefix)
    cycle_repeatedly(CommandLine(own_dynamodb_local, table_prefix, tmp_path, settings), KCL_CYCLES, 0)


def cycle_repeatedly(cli: CommandLine, cycles: int, killed_cycles: int) -> None:
    """Migrate, then go to reverse and back; in the first ``killed_cycles`` the command is killed at every step of every move."""
    cli.make_old_table(old_items())
    cli.run("full-migration")
    with syncing(cli) as sync, writing(cli) as writers:
        for cycle in range(cycles):
            killed = cycle < killed_cycles
            there_and_back(
                cli, sync, writers, (FIRST if cycle == 0 else LATER) if killed else (), LATER if killed else ()
            )
        allow(writers)
        settle(cli)
        report = cli.ask("validate")
    history = history_of(cli, [pair[0].log for pair in writers.values()])
    assert sum(operation.writes for operation in history.operations) > 20 * cycles
    assert report["result"] == "equal", report["differences"]
    assert history.old == history.v2
    assert judge(history) == []
    assert cli.ask("audit", "verify")["result"] == "ok"


def there_and_back(
    cli: CommandLine, sync: "Sync", writers: dict[str, list[Writer]], first: tuple[str, ...], later: tuple[str, ...]
) -> None:
    """forward -> dual -> reverse -> dual -> forward; kill the moving command at these steps, ``first`` in the first move."""
    allow(writers, "old")
    move(cli, "dual", first, "cutover")
    sync.kill()
    allow(writers, "old", "v2")
    time.sleep(WRITING_SECONDS)
    allow(writers, "v2")
    move(cli, "reverse", later, "cutover", "--finish")
    time.sleep(WRITING_SECONDS)
    move(cli, "dual", later, "rollback")
    allow(writers, "old", "v2")
    time.sleep(WRITING_SECONDS)
    sync.kill()
    allow(writers, "old")
    move(cli, "forward", later, "rollback")


def move(cli: CommandLine, to: str, steps: tuple[str, ...], *command: str) -> None:
    """Make a move, killed with -9 at each of ``steps``; the same command continues and ends it."""
    for step in steps:
        resolve_conflicts(cli)
        with ended(cli.start(*command, "--yes", "--wait", "10")) as process:
            while process.poll() is None and state(cli)["step"] != step:
                time.sleep(0.01)  # until the other process, which sends us no event, has recorded the step
    until(lambda: is_made(cli, to, *command), within=300, otherwise=lambda: cli.stderr_of("sync"))


def is_made(cli: CommandLine, to: str, *command: str) -> bool:
    """Whether the move is made, after another try if it was not. Resolves conflicts that close the gate, as an operator would."""
    if state(cli) != {"phase": to, "step": None}:
        resolve_conflicts(cli)
        with ended(cli.start(*command, "--yes", "--wait", "10", "--why", "cycles")) as process:
            process.wait(600)
    return state(cli) == {"phase": to, "step": None}


def state(cli: CommandLine) -> dict[str, str | None]:
    """The phase, and the step of the move under way."""
    record = cli.dynamodb.get_item(
        TableName=cli.table("TABLESPLIT_CONTROL_TABLE"),
        Key={"pk": {"S": "state"}, "sk": {"S": "migration"}},
        ConsistentRead=True,
    )
    document = json.loads(record["Item"]["document"]["S"])
    return {"phase": document["phase"], "step": document["move"]["step"] if document["move"] else None}


class Sync:
    """The running service, killed and started again by a test."""

    def __init__(self, cli: CommandLine) -> None:
        self.cli = cli
        self.process = self._started()

    def kill(self) -> None:
        """kill -9, and start a new process at once."""
        self.process.kill()
        self.process.wait()
        self.process = self._started()

    def _started(self) -> subprocess.Popen[bytes]:
        # it is killed only twice in a cycle; a longer lease keeps a busy machine from taking it away as well
        return self.cli.start("sync", "--no-http", TABLESPLIT_LEASE_SECONDS="6")


@contextmanager
def syncing(cli: CommandLine) -> Iterator[Sync]:
    sync = Sync(cli)
    try:
        yield sync
    finally:
        sync.process.kill()
        sync.process.wait()


@contextmanager
def writing(cli: CommandLine) -> Iterator[dict[str, list[Writer]]]:
    """Two writers for each side; they wait until they are allowed to write."""
    tables = {"old": cli.table("OLD_TABLE_NAME"), "v2": cli.table("DEALS_TABLE")}
    logs = {"old": SideLog("old"), "v2": SideLog("v2")}
    writers = {
        side: [Writer(cli.dynamodb, table, f"{side}{n}", logs[side]) for n in range(2)]
        for side, table in tables.items()
    }
    every = [writer for side in writers.values() for writer in side]
    for writer in every:
        writer.start()
    try:
        yield writers
    finally:
        for writer in every:
            writer.ended.set()
        for writer in every:
            writer.end()


def allow(writers: dict[str, list[Writer]], *sides: str) -> None:
    """Let the writers of these sides write, and wait until those of the others have stopped."""
    for side, both in writers.items():
        for writer in both:
            if side in sides:
                writer.allowed.set()
            else:
                writer.leave()


def resolve_conflicts(cli: CommandLine) -> None:
    """Resolve the open conflicts as an operator who keeps v2 would."""
    if not has_conflicts(cli):
        return
    for conflict in cli.ask("conflicts", "list")["items"]:
        cli.ask("conflicts", "resolve", conflict["id"], "--keep", "v2", "--yes")


def has_conflicts(cli: CommandLine) -> bool:
    """Whether a conflict is open; read from the control table, since a command takes a second to start."""
    pages = cli.dynamodb.get_paginator("query").paginate(
        TableName=cli.table("TABLESPLIT_CONTROL_TABLE"),
        KeyConditionExpression="pk = :p",
        ExpressionAttributeValues={":p": {"S": "conflict"}},
    )
    heads = [json.loads(item["document"]["S"]) for page in pages for item in page["Items"]]
    return any(head["resolution"] is None for head in heads)


def settle(cli: CommandLine) -> None:
    """Wait until both directions have caught up; three times, because applied changes make others (a write, its echo, a record)."""
    for _ in range(3):
        cli.catches_up()


def history_of(cli: CommandLine, logs: list[SideLog]) -> History:
    """What the writers did, the conflict log, and both sides at the end."""
    return History(
        operations=[operation for log in logs for operation in log.operations],
        logged=kept_values(cli),
        old={item["id"]["S"]: watched_of(item) for item in cli.scan("OLD_TABLE_NAME")},
        v2={item["id"]["S"]: watched_of(item) for item in cli.scan("DEALS_TABLE")},
        counters=frozenset(COUNTER.values()),
    )


def kept_values(cli: CommandLine) -> list[Logged]:
    """The fields of every write in the conflict log: those that are lost, or while whole changes are kept there, all."""
    kept = []
    for conflict in cli.ask("conflicts", "list", "--all")["items"]:
        new = cli.ask("conflicts", "show", conflict["id"])["change"]["new"]
        kept += [Logged(new["id"]["S"], name, watched_of(new).get(name)) for name in conflict["fields"]]
    return kept
