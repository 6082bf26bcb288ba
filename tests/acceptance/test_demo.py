"""`demo`: the whole of it on DynamoDB Local, with a kill -9 of sync, to the tally of writes and what to do next."""

import os
import re
import signal
import subprocess
from pathlib import Path

import pytest

from tests.acceptance.command_line import COMMAND, ended, until

pytestmark = [pytest.mark.local, pytest.mark.kill, pytest.mark.slow]


def test_it_kills_sync_loses_nothing_and_says_what_to_do_next(dynamodb_local: str) -> None:
    environment = {**os.environ, "TABLESPLIT_DEMO_SERVER": dynamodb_local}
    done = subprocess.run([*COMMAND, "demo"], env=environment, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr
    killed = re.search(r"kill -9 of sync, process (\d+)", done.stderr)
    started = re.search(r"sync started again, process (\d+)", done.stderr)
    assert killed is not None
    assert started is not None
    assert killed[1] != started[1]
    assert re.search(r"caught up \d+ s after the kill; [1-9]\d* writes were acknowledged meanwhile", done.stderr)
    assert re.search(rf"phase dual; .*; sync process {killed[1]} was killed", done.stderr)
    *_, tally, increments, verdict, following = done.stdout.splitlines()
    assert re.search(r"\d+ acknowledged = .* \+ 0 lost", tally)
    assert "increments" in increments
    assert re.match(r"demo: OK \d+ items .* kill -9 of sync, 0 lost, 0 differences", verdict)
    assert following.startswith("next: ")


def test_stopped_on_the_way_it_says_that_its_tables_are_deleted(dynamodb_local: str, tmp_path: Path) -> None:
    environment = {**os.environ, "TABLESPLIT_DEMO_SERVER": dynamodb_local}
    log = tmp_path / "demo.log"
    with log.open("w") as out, ended(subprocess.Popen([*COMMAND, "demo"], env=environment, stderr=out)) as demo:
        until(lambda: "comparing every item" in log.read_text(), within=300, otherwise=log.read_text)
        demo.send_signal(signal.SIGINT)
        assert demo.wait(120) == 3
    assert log.read_text().splitlines()[-2:] == [
        "error: stopped on the way: its tables are deleted",
        "what to do: run the command again",
    ]
