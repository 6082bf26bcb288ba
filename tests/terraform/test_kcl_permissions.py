"""permissions.json on KCL's tables against what its daemon, and sync, really ask of them: on DynamoDB Local, with a record."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from service.streams.kcl.lease_table import SUFFIXES
from tests.fakes.kcl import JARS, require_kcl
from tests.fakes.servers import dynamodb_local_for_tests
from tests.terraform.forwarding import forwarded
from tests.terraform.program import SOURCE
from tests.terraform.scenario import CONTROL, OLD, V2, Scenario, application_of, made_old_table

pytestmark = [pytest.mark.deployment, pytest.mark.local, pytest.mark.slow]

APPLICATION = "tablesplit-kcl"
QUICK = "failoverTimeMillis = 3000\ninMemoryWorkerMetricsCaptureFrequencyMillis = 200\n"
STREAM_CALLS = {"dynamodb:DescribeStream", "dynamodb:GetRecords", "dynamodb:GetShardIterator"}

RARE = {
    ("kcl", "dynamodb:UpdateTable"): "DynamoDBLeaseRefresher.createLeaseOwnerToLeaseKeyIndexIfNotExists",
}
"""What KCL 3.1.3 asks for when the lease table has no index yet (sync makes it with one), by its own method. AWS's list of what
KCL 3 needs has it too: Kinesis Data Streams, Developer Guide, "IAM permissions required for KCL consumer applications". That list
has nothing else that permissions.json has not, but for CloudWatch, to which the daemon sends nothing."""


class KclScenario(Scenario):
    """``sync`` with the kcl engine on DynamoDB Local; what it asks is written down on the way."""

    @contextmanager
    def server(self) -> Iterator[None]:
        """The server, for the block."""
        with dynamodb_local_for_tests() as endpoint, forwarded(endpoint, self.file) as self.url:
            self.application = application_of(self.url)
            yield

    def environment(self, component: str) -> dict[str, str]:
        """What the component finds in its environment."""
        (self.folder / "kcl.properties").write_text(QUICK)
        own = {
            "TABLESPLIT_ENGINE": "kcl",
            "TABLESPLIT_KCL_APPLICATION": APPLICATION,
            "TABLESPLIT_KCL_JARS": str(JARS),
            "TABLESPLIT_KCL_PROPERTIES": str(self.folder / "kcl.properties"),
        }
        return super().environment(component) | own


@pytest.fixture(scope="module")
def calls(tmp_path_factory: pytest.TempPathFactory) -> set[tuple[str, str, str]]:
    """Who has asked for what: the daemon (kcl) or sync, resource as in permissions.json, action."""
    require_kcl()
    scenario = KclScenario(tmp_path_factory.mktemp("calls"))
    with scenario.server():
        made_old_table(scenario.application)
        scenario.operator("create-tables")
        scenario.backfill()
        for _ in range(2):  # the second time KCL's tables are there, and behind the saved positions
            with scenario.sync():
                scenario.application.put_item(TableName=OLD, Item={"pk": {"S": "DEAL#1"}, "sk": {"S": "METADATA"}})
                ((status, answer),) = scenario.operator("status --until-caught-up 540")
                assert status == 0, answer
    return {(who, _kind(resource), f"dynamodb:{action}") for who, action, resource in _lines(scenario.file)}


def _lines(file: Path) -> Iterator[list[str]]:
    return (json.loads(line) for line in file.read_text().splitlines())


def _kind(resource: str) -> str:
    table, _, part = resource.partition("/")
    kinds = {f"{APPLICATION}-{name}{suffix}": "kcl" for name in (OLD, *V2) for suffix in SUFFIXES}
    kinds |= {OLD: "old", CONTROL: "control"} | dict.fromkeys(V2, "v2")
    return f"{kinds[table]}_{part}" if part else kinds[table]


def test_the_policy_has_what_is_asked_of_kcls_tables_and_nothing_else(calls: set[tuple[str, str, str]]) -> None:
    permissions = json.loads((SOURCE / "permissions.json").read_text())["sync"]
    granted = {(name, action) for name in ("kcl", "kcl_index") for action in permissions[name]}
    asked = {(resource, action) for _, resource, action in calls if resource.startswith("kcl")}
    assert sorted(asked - granted) == [], "asked for, but not granted"
    assert sorted(granted - asked - RARE.keys()) == [], "granted, but never asked for"


def test_the_daemon_reads_streams_and_touches_no_table_but_kcls(calls: set[tuple[str, str, str]]) -> None:
    elsewhere = {
        (resource, action) for who, resource, action in calls if who == "kcl" and not resource.startswith("kcl")
    }
    streams = {(stream, action) for stream in ("old_stream", "v2_stream") for action in STREAM_CALLS}
    assert ("old_stream", "dynamodb:GetRecords") in elsewhere <= streams
