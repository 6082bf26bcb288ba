"""`seed`: the demonstration's old table on a permanent server, and the application that writes to it."""

import os
import signal
import subprocess
from pathlib import Path

import pytest

from tests.acceptance.command_line import COMMAND, QUICK, CommandLine, ended, until

pytestmark = [pytest.mark.local, pytest.mark.slow]


def test_it_loads_once_and_writes_on_the_given_side_and_status_waits_for_sync(
    dynamodb_local: str, table_prefix: str, tmp_path: Path
) -> None:
    cli = CommandLine(dynamodb_local, table_prefix, tmp_path, QUICK)
    assert cli.run("seed", "--check", status=1) == {"loaded": False}
    loaded = cli.run("seed", "--opportunities", "20")["loaded"]
    assert len(cli.scan("OLD_TABLE_NAME")) == loaded
    assert cli.run("seed", "--opportunities", "20") == {"loaded": 0}
    assert cli.run("seed", "--check") == {"loaded": True}

    cli.run("create-tables")
    assert cli.ask("status", "--until-caught-up", "1", status=1)["backfill"]["state"] == "not started"
    with (
        ended(cli.start("seed", "--opportunities", "20", "--write", "old", "--pause-seconds", "0.05")) as writing,
        ended(cli.start("sync", "--no-http")),
    ):
        cli.run("migrate")
        assert cli.ask("status", "--until-caught-up", "540")["forward"]["caught_up"]
        until(lambda: cli.ask("status")["forward"]["outcomes"], within=60, otherwise=lambda: cli.stderr_of("seed"))
        writing.send_signal(signal.SIGTERM)
        assert writing.wait(300) == 0
    assert "the application has stopped" in (tmp_path / "seed.out").read_text()


def seed(environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*COMMAND, "seed"], env=environment, capture_output=True, text=True, timeout=600)


@pytest.mark.parametrize(
    "endpoint",
    ["", "https://dynamodb.eu-west-1.amazonaws.com", "https://vpce-1-2.dynamodb.eu-west-1.vpce.amazonaws.com"],
)
def test_it_never_writes_to_an_aws_account(endpoint: str) -> None:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("AWS_ENDPOINT")}
    environment["AWS_REGION"] = "eu-west-1"
    done = seed({**environment, "AWS_ENDPOINT_URL": endpoint} if endpoint else environment)
    assert done.returncode == 2
    assert "for a local server only" in done.stderr


def test_it_never_writes_to_a_table_with_other_items(dynamodb_local: str, table_prefix: str, tmp_path: Path) -> None:
    cli = CommandLine(dynamodb_local, table_prefix, tmp_path, QUICK)
    mine = {"pk": {"S": "LEAD#mine"}, "sk": {"S": "METADATA"}, "entity_type": {"S": "LEAD"}, "id": {"S": "mine"}}
    cli.make_old_table([mine])
    done = seed(cli.environment())
    assert done.returncode == 2
    assert "holds items that are not the demonstration's" in done.stderr
    assert cli.scan("OLD_TABLE_NAME") == [mine]
