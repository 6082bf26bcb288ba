"""A migration there, and to its end, by three components, each with an access key named like it, on moto with a record."""

import json
import os
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import boto3

from service.rehearsal.servers.local_servers import free_port
from tests.acceptance.command_line import COMMAND, QUICK, ended, until

OLD, CONTROL = "expressnext-crm", "tablesplit-control"
V2 = ("CRM-Leads-v2", "CRM-Deals-v2", "CRM-Resources-v2", "CRM-Pipelines-v2")
TOKEN = "0123456789abcdef"
SETTINGS = QUICK | {
    "AWS_REGION": "us-east-1",
    "TABLESPLIT_API_TOKEN": TOKEN,
    "TABLESPLIT_LEASE_SECONDS": "2",
    "TABLESPLIT_REQUEST_TIMEOUT_SECONDS": "2",
    "TABLESPLIT_CLOCK_MARGIN_SECONDS": "0",
    "TABLESPLIT_SETTLE_SECONDS": "0",
    "TABLESPLIT_GATE_LAG_SECONDS": "120",
    "TABLESPLIT_GATE_LAG_LOW_SECONDS": "0",
    "TABLESPLIT_GATE_QUIET_SECONDS": "1",
    "TABLESPLIT_PURGE_GRACE_SECONDS": "5",
    "TABLESPLIT_PURGE_SWEEP_SECONDS": "10",
    "TABLESPLIT_VERIFY_SECONDS": "5",
}


class Scenario:
    """What runs against the recording server; ``file`` is its record."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.file = folder / "calls"
        self.port = free_port()
        self.http_port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.application = application_of(self.url)

    def environment(self, component: str) -> dict[str, str]:
        """What the component finds in its environment."""
        own = {"AWS_ACCESS_KEY_ID": component, "AWS_SECRET_ACCESS_KEY": "test", "AWS_ENDPOINT_URL": self.url}
        return os.environ | SETTINGS | own | {"TABLESPLIT_HTTP_PORT": str(self.http_port)}

    @contextmanager
    def server(self) -> Iterator[None]:
        """The server, for the block."""
        command = [sys.executable, "-m", "tests.terraform.recording", "-p", str(self.port), str(self.file)]
        with (self.folder / "server.log").open("wb") as log, ended(subprocess.Popen(command, stdout=log, stderr=log)):
            until(self._listens, within=60, otherwise=lambda: (self.folder / "server.log").read_text())
            yield

    def _listens(self) -> bool:
        try:
            urllib.request.urlopen(f"{self.url}/moto-api/", timeout=1).close()
        except OSError:
            return False
        return True

    @contextmanager
    def sync(self) -> Iterator[None]:
        """`tablesplit sync`, for the block, once it answers."""
        with (self.folder / "sync.log").open("ab") as log:
            process = subprocess.Popen([*COMMAND, "sync"], env=self.environment("sync"), stdout=log, stderr=log)
        with ended(process):
            until(self._ready, within=60, otherwise=(self.folder / "sync.log").read_text)
            yield
            process.terminate()
            process.wait(300)

    def _ready(self) -> bool:
        return self._found("/readyz")

    def _found(self, path: str) -> bool:
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{self.http_port}{path}", timeout=1).close()
        except OSError:
            return False
        return True

    def validate_over_http(self) -> None:
        """What a person does on the console page: start a validation, and look until it has ended."""
        location = self._post("/v1/validation", {})["location"]
        until(lambda: self._found(location), within=120, otherwise=(self.folder / "sync.log").read_text)

    def _post(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        headers = {"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/json"}
        request = urllib.request.Request(f"http://127.0.0.1:{self.http_port}{path}", json.dumps(body).encode(), headers)
        with urllib.request.urlopen(request, timeout=10) as answer:
            document: dict[str, Any] = json.load(answer)
        return document

    def backfill(self) -> None:
        """The one job of a backfill."""
        command = [sys.executable, "-m", "backfill"]
        subprocess.run(command, env=self.environment("backfill"), capture_output=True, timeout=600, check=False)

    def operator(self, *commands: str) -> list[tuple[int, Any]]:
        """The commands in turn: of each its status, and its answer."""
        asked = json.dumps([[*command.split(), "--json"] for command in commands])
        done = subprocess.run(
            [sys.executable, "-m", "tests.terraform.commands"],
            env=self.environment("operator"),
            input=asked,
            capture_output=True,
            text=True,
            timeout=600,
        )
        lines = [json.loads(line) for line in done.stdout.splitlines()]
        with (self.folder / "operator.log").open("a") as log:
            log.write(done.stdout + done.stderr)
        assert len(lines) == len(commands), done.stderr
        return [(status, json.loads(said or "null")) for _, status, said in lines]

    def calls(self) -> dict[str, set[tuple[str, str]]]:
        """Who has asked for what: component to (resource as in permissions.json, action)."""
        found: dict[str, set[tuple[str, str]]] = {}
        for line in self.file.read_text().splitlines():
            who, action, resource = json.loads(line)
            found.setdefault(who, set()).add((kind_of(resource), f"dynamodb:{action}"))
        return found


def application_of(url: str) -> Any:
    """The application's client of the server at ``url``."""
    return boto3.client(
        "dynamodb",
        endpoint_url=url,
        region_name="us-east-1",
        aws_access_key_id="application",
        aws_secret_access_key="test",
    )


def made_old_table(application: Any) -> None:
    """The old table, empty, with tags and time to live, which the v2 tables are to have, too."""
    application.create_table(
        TableName=OLD,
        KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}, {"AttributeName": "sk", "KeyType": "RANGE"}],
        AttributeDefinitions=[{"AttributeName": name, "AttributeType": "S"} for name in ("pk", "sk")],
        BillingMode="PAY_PER_REQUEST",
        Tags=[{"Key": "team", "Value": "crm"}],
    )
    application.update_time_to_live(TableName=OLD, TimeToLiveSpecification={"Enabled": True, "AttributeName": "gone"})


def kind_of(resource: str) -> str:
    """A table, TABLE/index, TABLE/stream, or nothing, as permissions.json calls it."""
    table, _, part = resource.partition("/")
    names = {"": "account", OLD: "old", CONTROL: "control"} | dict.fromkeys(V2, "v2")
    return f"{names[table]}_{part}" if part else names[table]
