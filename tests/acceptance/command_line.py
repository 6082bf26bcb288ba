"""The command line as real processes, with their own old table on DynamoDB Local."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from threading import current_thread, main_thread
from typing import Any
from unittest.mock import patch

import boto3
import pytest
from tenacity import RetryError, Retrying, retry_if_result, stop_after_attempt, wait_fixed

from service.cli.main import main
from service.core.item.wire import Item

COMMAND = [sys.executable, "-c", "import sys; sys.argv[0] = 'tablesplit'; from service.cli import main; main()"]
VARIABLES = {
    "OLD_TABLE_NAME": "old",
    "LEADS_TABLE": "leads",
    "DEALS_TABLE": "deals",
    "RESOURCES_TABLE": "resources",
    "PIPELINES_TABLE": "pipelines",
    "TABLESPLIT_CONTROL_TABLE": "control",
}
QUICK = {
    "TABLESPLIT_LEASE_SECONDS": "1.5",
    "TABLESPLIT_HEARTBEAT_SECONDS": "0.5",
    "TABLESPLIT_SHARD_DISCOVERY_SECONDS": "0.5",
    "TABLESPLIT_POLL_INTERVAL_SECONDS": "0.25",
    "TABLESPLIT_SETTLE_SECONDS": "1",
    "TABLESPLIT_SEGMENTS": "4",
    "TABLESPLIT_PAGE_ITEMS": "50",
}

LASTING = {
    "TABLESPLIT_LEASE_SECONDS": "20",
    "TABLESPLIT_REQUEST_TIMEOUT_SECONDS": "5",
    "TABLESPLIT_PURGE_GRACE_SECONDS": "60",
}
"""For a command that is run to its end: its lease is long enough for a busy machine, so that it never has to be restarted."""


@dataclass(frozen=True)
class CommandLine:
    """Runs commands against tables whose names begin with ``prefix``; their output goes into ``folder``."""

    endpoint: str
    prefix: str
    folder: Path
    settings: dict[str, str]

    def table(self, variable: str) -> str:
        """The table's name."""
        return self.prefix + VARIABLES[variable]

    @property
    def dynamodb(self) -> Any:
        """A plain boto3 client of the server."""
        return boto3.client(
            "dynamodb",
            endpoint_url=self.endpoint,
            region_name="ap-southeast-2",
            aws_access_key_id="test",
            aws_secret_access_key="test",
        )

    def start(self, *arguments: str, **settings: str) -> subprocess.Popen[bytes]:
        """A running command; its stderr goes to the file ``<command>.log``, its stdout to ``<command>.out``."""
        log = (self.folder / f"{arguments[0]}.log").open("ab")
        out = (self.folder / f"{arguments[0]}.out").open("wb")
        with log, out:
            return subprocess.Popen([*COMMAND, *arguments], env=self.environment() | settings, stdout=out, stderr=log)

    def run(self, *arguments: str, status: int | None = 0) -> Any:
        """The JSON document of a command that must end with ``status`` (None: any)."""
        done = subprocess.run(
            [*COMMAND, *arguments, "--json"], env=self.environment() | LASTING, capture_output=True, timeout=180
        )
        assert status is None or done.returncode == status, done.stderr.decode()
        return json.loads(done.stdout)

    def ask(self, *arguments: str, status: int | None = 0) -> Any:
        """As ``run``, but in this process, where that is possible: the start of a process costs two seconds of a processor.

        A command handles signals, which only the main thread may do.
        """
        if current_thread() is not main_thread():
            return self.run(*arguments, status=status)
        out, err = StringIO(), StringIO()
        argv = ["tablesplit", *arguments, "--json"]
        with (
            patch.dict(os.environ, self.environment() | LASTING, clear=True),
            patch.object(sys, "argv", argv),
            redirect_stdout(out),
            redirect_stderr(err),
            pytest.raises(SystemExit) as end,
        ):
            main()
        assert status is None or end.value.code == status, err.getvalue()
        return json.loads(out.getvalue())

    def catches_up(self) -> None:
        """Wait until sync has caught up both ways."""
        status = self.ask("status", "--until-caught-up", "540", status=None)
        caught_up = [status[direction]["caught_up"] for direction in ("forward", "reverse")]
        assert caught_up == [True, True], f"{status}\n{self.stderr_of('sync')}"

    def stderr_of(self, command: str) -> str:
        """Everything that the command has printed on stderr so far."""
        return (self.folder / f"{command}.log").read_text()

    def make_old_table(self, items: Iterable[Item]) -> None:
        """Make the old table, with ``items``."""
        table = self.table("OLD_TABLE_NAME")
        self.dynamodb.create_table(
            TableName=table,
            KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}, {"AttributeName": "sk", "KeyType": "RANGE"}],
            AttributeDefinitions=[{"AttributeName": name, "AttributeType": "S"} for name in ("pk", "sk")],
            BillingMode="PAY_PER_REQUEST",
        )
        puts = [{"PutRequest": {"Item": item}} for item in items]
        for start in range(0, len(puts), 25):
            self.dynamodb.batch_write_item(RequestItems={table: puts[start : start + 25]})

    def scan(self, variable: str) -> list[Item]:
        """Every item of a table."""
        pages = self.dynamodb.get_paginator("scan").paginate(TableName=self.table(variable), ConsistentRead=True)
        return [item for page in pages for item in page["Items"]]

    def environment(self) -> dict[str, str]:
        """The environment of a command."""
        tables = {variable: self.table(variable) for variable in VARIABLES}
        return {**os.environ, "AWS_ENDPOINT_URL": self.endpoint, **tables, **self.settings}


CHECK_EVERY_SECONDS = 0.1


def until(condition: Callable[[], object], *, within: float, otherwise: Callable[[], str]) -> None:
    """Return once ``condition`` holds: something that another process does. Else fail with ``otherwise``.

    within: seconds on an idle machine. Checks are counted, not seconds: on a loaded machine a check takes longer, and so does
    the work that it waits for.
    """
    checks = Retrying(
        retry=retry_if_result(lambda holds: not holds),
        stop=stop_after_attempt(round(within / CHECK_EVERY_SECONDS)),
        wait=wait_fixed(CHECK_EVERY_SECONDS),
    )
    try:
        checks(condition)
    except RetryError:
        raise AssertionError(f"not after {checks.statistics['attempt_number']} checks: {otherwise()}") from None


@contextmanager
def ended(process: subprocess.Popen[bytes]) -> Iterator[subprocess.Popen[bytes]]:
    """The process for the block; it is killed at the end."""
    try:
        yield process
    finally:
        process.kill()
        process.wait()
