"""The tutorial, followed as it is written: every block of commands in it, and an edit on v2 that the old index shows."""

import os
import re
import subprocess
import sys
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import boto3
import pytest
import yaml

from tests.acceptance.command_line import QUICK, ended, until

pytestmark = [pytest.mark.local, pytest.mark.slow]

ROOT = Path(__file__).parents[2]
TUTORIAL = (ROOT / "docs" / "mapping" / "tutorial.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```sh\n(.*?)```", TUTORIAL, re.DOTALL)
TABLE, DRAFT, DRAFT_FROM_FILE, CHECK, SYNC, MOVE, FINISH, BACK = BLOCKS
WITHOUT_A_TERMINAL = re.compile(r"^(tablesplit (?:cutover|rollback).*)$", re.MULTILINE)
SETTINGS = QUICK | {
    "TABLESPLIT_LEASE_SECONDS": "10",
    "TABLESPLIT_GATE_LAG_LOW_SECONDS": "0",
    "TABLESPLIT_GATE_QUIET_SECONDS": "1",
    "TABLESPLIT_PURGE_GRACE_SECONDS": "60",
    "TABLESPLIT_REQUEST_TIMEOUT_SECONDS": "5",
}


@dataclass(frozen=True)
class Reader:
    """A person with the tutorial, in a folder of their own."""

    endpoint: str
    folder: Path
    variables: list[str] = field(default_factory=list)
    """The lines that have set variables in their shell so far."""

    def follows(self, block: str) -> str:
        """Run a block, as it is but for the port of DynamoDB Local and the confirmations. Returns what it prints."""
        done = subprocess.run(
            self._shell(WITHOUT_A_TERMINAL.sub(r"\1 --yes", block)),
            cwd=self.folder,
            env=self._environment(),
            capture_output=True,
            text=True,
            timeout=300,
        )
        output = done.stdout + done.stderr
        assert done.returncode == 0, f"{block}{output}"
        self.variables.extend(line for line in block.splitlines() if line.startswith("export "))
        return output

    def leaves_running(self, block: str) -> AbstractContextManager[subprocess.Popen[bytes]]:
        """Start `tablesplit sync`, for the time of the context."""
        log = (self.folder / "sync.log").open("wb")
        with log:
            return ended(
                subprocess.Popen(
                    self._shell(block.replace("tablesplit sync", "exec tablesplit sync --no-http")),
                    cwd=self.folder,
                    env=self._environment(),
                    stdout=log,
                    stderr=log,
                )
            )

    @property
    def dynamodb(self) -> Any:
        """The application's own client."""
        return boto3.client(
            "dynamodb",
            endpoint_url=self.endpoint,
            region_name="eu-west-1",
            aws_access_key_id="local",
            aws_secret_access_key="local",
        )

    def _shell(self, block: str) -> list[str]:
        text = "\n".join([*self.variables, block]).replace("http://localhost:8000", self.endpoint)
        return ["bash", "-euc", text]

    def _environment(self) -> dict[str, str]:
        return {**os.environ, **SETTINGS, "PATH": f"{self.folder / 'bin'}:{os.environ['PATH']}"}


@pytest.fixture
def reader(own_dynamodb_local: str, tmp_path: Path) -> Reader:
    commands = {
        "python": f'exec {sys.executable} "$@"',
        "tablesplit": f"exec {sys.executable} -c 'from service.cli import main; main()' \"$@\"",
    }
    (tmp_path / "bin").mkdir()
    for name, line in commands.items():
        (tmp_path / "bin" / name).write_text(f"#!/bin/sh\nexport PYTHONPATH={ROOT}\n{line}\n")
        (tmp_path / "bin" / name).chmod(0o755)
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    return Reader(own_dynamodb_local, tmp_path)


def users_by_name(reader: Reader, name: str) -> list[str]:
    """The emails of the users whom the old application finds by its index."""
    answer = reader.dynamodb.query(
        TableName="invoices",
        IndexName="gs1",
        KeyConditionExpression="gs1pk = :kind AND begins_with(gs1sk, :name)",
        ExpressionAttributeValues={":kind": {"S": "user#"}, ":name": {"S": f"user#{name}#"}},
    )
    return [item["email"]["S"] for item in answer["Items"]]


def rename(reader: Reader, name: str) -> str:
    """Change the name of a user on v2, as v2's application does. Returns the email."""
    mapping = yaml.safe_load((reader.folder / "invoices.yaml").read_text())
    table = mapping["entities"]["User"]["table"]
    user = reader.dynamodb.scan(TableName=table)["Items"][0]
    reader.dynamodb.update_item(
        TableName=table,
        Key={part: user[part] for part in mapping["entities"]["User"]["key"]},
        UpdateExpression="SET #name = :name",
        ExpressionAttributeNames={"#name": "name"},
        ExpressionAttributeValues={":name": {"S": name}},
    )
    return str(user["email"]["S"])


def test_the_tutorial_leads_from_a_table_to_a_cutover_and_back(reader: Reader) -> None:
    reader.follows(TABLE)
    assert "35 of 39 items of the sample are mapped" in reader.follows(DRAFT)
    assert "35 of 39 items of the sample are mapped" in reader.follows(
        DRAFT_FROM_FILE.replace("output ", "output file-")
    )
    reader.follows(CHECK)
    create_tables, sync = SYNC.splitlines()
    reader.follows(create_tables)
    with reader.leaves_running(sync):
        reader.follows(MOVE)
        for moved, name in ((FINISH, "Ada"), (BACK, "Grace")):
            email = rename(reader, name)
            until(
                lambda name=name, email=email: users_by_name(reader, name) == [email],  # type: ignore[misc]
                within=60,
                otherwise=lambda: (reader.folder / "sync.log").read_text(),
            )
            reader.follows(moved)
        assert users_by_name(reader, "Grace") == [email]
    assert len(reader.dynamodb.scan(TableName="invoices")["Items"]) == 39
