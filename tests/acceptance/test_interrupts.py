"""Ctrl-C in every long command: it ends within five seconds with exit status 3, and names the command to continue with."""

import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from service.rehearsal.demo.items import old_items
from tests.acceptance.command_line import QUICK, CommandLine, ended, until

pytestmark = [pytest.mark.local, pytest.mark.slow]

SLOW = ("--max-write-units", "10")
END_SECONDS = 120


def _printed(word: str) -> Callable[[CommandLine, str], bool]:
    return lambda cli, command: word in cli.stderr_of(command)


def _validating(cli: CommandLine, _: str) -> bool:
    key = {"pk": {"S": "lease"}, "sk": {"S": "validation"}}
    return "Item" in cli.dynamodb.get_item(TableName=cli.table("TABLESPLIT_CONTROL_TABLE"), Key=key)


def _shown(cli: CommandLine, command: str) -> bool:
    return "phase" in (cli.folder / f"{command}.out").read_text()


@pytest.mark.parametrize(
    ("command", "is_working", "goes_on"),
    [
        (("migrate", *SLOW), _printed("backfill: 0 items"), "tablesplit migrate --max-write-units 10"),
        (("sync", "--no-http"), _printed("status"), "tablesplit sync --no-http"),
        (("validate", "--max-read-units", "1"), _validating, "tablesplit validate --resume --max-read-units 1"),
        (("full-migration", *SLOW), _printed("backfill: 0 items"), "tablesplit full-migration --max-write-units 10"),
        (("status", "--watch"), _shown, "tablesplit status --watch"),
    ],
    ids=lambda value: value[0] if isinstance(value, tuple) else "",
)
def test_ctrl_c(
    dynamodb_local: str,
    table_prefix: str,
    tmp_path: Path,
    command: tuple[str, ...],
    is_working: Callable[[CommandLine, str], bool],
    goes_on: str,
) -> None:
    cli = CommandLine(dynamodb_local, table_prefix, tmp_path, {**QUICK, "PYTHONUNBUFFERED": "1"})
    cli.make_old_table(old_items(100))
    cli.run("create-tables")
    with ended(cli.start(*command)) as process:
        _until(lambda: is_working(cli, command[0]), process, cli)
        assert _interrupt(process) == 3, cli.stderr_of(command[0])
    assert f"what to do: go on with: {goes_on}" in cli.stderr_of(command[0])
    assert "Traceback" not in cli.stderr_of(command[0])


def test_an_interrupted_backfill_continues_where_it_stopped(
    dynamodb_local: str, table_prefix: str, tmp_path: Path
) -> None:
    cli = CommandLine(dynamodb_local, table_prefix, tmp_path, QUICK)
    cli.make_old_table(old_items(100))
    cli.run("create-tables")
    with ended(cli.start("migrate", *SLOW)) as process:
        _until(lambda: _printed("backfill: 0 items")(cli, "migrate"), process, cli)
        assert _interrupt(process) == 3
    report = cli.run("migrate")
    assert report["resumed"]
    assert report["copied"] + report["present"] == len(cli.scan("OLD_TABLE_NAME"))


def test_sigterm_ends_sync_cleanly_and_gives_its_lease_back(
    dynamodb_local: str, table_prefix: str, tmp_path: Path
) -> None:
    cli = CommandLine(dynamodb_local, table_prefix, tmp_path, QUICK)
    cli.make_old_table([])
    cli.run("create-tables")
    with ended(cli.start("sync", "--no-http")) as process:
        _until(lambda: _printed("status")(cli, "sync"), process, cli)
        process.send_signal(signal.SIGTERM)
        assert process.wait(END_SECONDS) == 0
    lease = cli.dynamodb.get_item(
        TableName=cli.table("TABLESPLIT_CONTROL_TABLE"), Key={"pk": {"S": "lease"}, "sk": {"S": "sync"}}
    )
    assert '"released":true' in lease["Item"]["document"]["S"]


def _interrupt(process: subprocess.Popen[bytes]) -> int:
    process.send_signal(signal.SIGINT)
    return process.wait(END_SECONDS)


def _until(is_working: Callable[[], bool], process: subprocess.Popen[bytes], cli: CommandLine) -> None:
    def working() -> bool:
        assert process.poll() is None, "it ended before it was interrupted"
        return is_working()

    until(working, within=30, otherwise=lambda: f"{cli.folder} has its output")
