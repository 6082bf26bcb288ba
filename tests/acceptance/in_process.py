"""The command line in this process: fast, for tests that need no signal."""

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import pytest

from service.cli.main import main
from tests.builders.mappings import CRM_TEXT

TABLES = (
    "OLD_TABLE_NAME",
    "LEADS_TABLE",
    "DEALS_TABLE",
    "RESOURCES_TABLE",
    "PIPELINES_TABLE",
    "TABLESPLIT_CONTROL_TABLE",
)


@dataclass(frozen=True)
class Result:
    """How a command ended: exit status, stdout, stderr."""

    status: int
    out: str
    err: str

    @property
    def line(self) -> str:
        """The error's message."""
        return next(line for line in self.err.splitlines() if line.startswith("error: ")).removeprefix("error: ")


@dataclass(frozen=True)
class World:
    """A command line in this process, with its own environment."""

    monkeypatch: pytest.MonkeyPatch
    capsys: pytest.CaptureFixture[str]
    prefix: str
    folder: Path
    url: str

    def run(self, *arguments: str) -> Result:
        """Run ``tablesplit ARGUMENTS`` until it ends."""
        self.monkeypatch.setattr(sys, "argv", ["tablesplit", *arguments])
        self.capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            main()
        out, err = self.capsys.readouterr()
        code = ended.value.code
        assert isinstance(code, int)
        return Result(code, out, err)

    def set(self, **variables: str) -> None:
        for name, value in variables.items():
            self.monkeypatch.setenv(name, value)

    def name(self, variable: str) -> str:
        return f"{self.prefix}{variable.lower()}"

    @property
    def dynamodb(self) -> Any:
        return boto3.client("dynamodb", endpoint_url=self.url, region_name="ap-southeast-2")

    def make(self, variable: str, keys: tuple[str, ...] = ("pk", "sk"), stream: dict[str, Any] | None = None) -> None:
        """Make a table with this key."""
        schema = [{"AttributeName": key, "KeyType": kind} for key, kind in zip(keys, ("HASH", "RANGE"), strict=False)]
        types = [{"AttributeName": key, "AttributeType": "S"} for key in keys]
        more = {"StreamSpecification": stream} if stream else {}
        self.dynamodb.create_table(
            TableName=self.name(variable),
            KeySchema=schema,
            AttributeDefinitions=types,
            BillingMode="PAY_PER_REQUEST",
            **more,
        )

    def mapping(self, old: str, new: str) -> None:
        """Use the CRM's mapping with ``old`` replaced by ``new``."""
        assert old in CRM_TEXT
        path = self.folder / "mine.yaml"
        path.write_text(CRM_TEXT.replace(old, new, 1))
        self.set(TABLESPLIT_MAPPING=str(path))
