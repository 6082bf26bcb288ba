"""What all tests share: servers, an environment of their own, the hypothesis profiles."""

import os
from collections import Counter
from collections.abc import Iterator
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, settings

from tests.fakes.servers import dynamodb_local_for_tests, moto_for_tests
from tests.fakes.typescript_example import TypeScriptProgram, typescript_program

settings.register_profile("laptop", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("ci", parent=settings.get_profile("laptop"), derandomize=True, print_blob=True)
settings.load_profile("ci" if os.environ.get("CI") == "true" else "laptop")


SLOWEST_FIRST = ("container", "deployment", "kill", "slow")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The slowest first. A worker that begins with them mostly waits, while the others compute and then take over from the end
    of its list; none of the longest is left for the end."""
    items.sort(key=lambda item: [mark not in item.keywords for mark in SLOWEST_FIRST])


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """One closing line for what this machine could not run, and how to get it."""
    reasons = Counter(
        report.longrepr[2].removeprefix("Skipped: ") for report in terminalreporter.stats.get("skipped", [])
    )
    if reasons:
        lacking = "; ".join(f"{count} because {reason}" for reason, count in reasons.most_common())
        terminalreporter.write_line(f"{reasons.total()} tests did not run: {lacking}")


@pytest.fixture(scope="session")
def dynamodb_local() -> Iterator[str]:
    """Endpoint URL of DynamoDB Local; shared by the session's tests, so each uses names of its own."""
    with dynamodb_local_for_tests() as url:
        yield url


@pytest.fixture(scope="session")
def typescript_example(dynamodb_local: str) -> Iterator[TypeScriptProgram]:
    """The application of examples/typescript on DynamoDB Local."""
    with typescript_program(dynamodb_local) as program:
        yield program


@pytest.fixture
def own_dynamodb_local() -> Iterator[str]:
    """The same of a server that no other test has filled: for those that load it heavily, and wait for what it answers."""
    with dynamodb_local_for_tests() as url:
        yield url


@pytest.fixture(scope="session")
def moto_server() -> Iterator[str]:
    """Endpoint URL of a moto server; shared by the session's tests, so each uses names of its own."""
    with moto_for_tests() as url:
        yield url


@pytest.fixture
def table_prefix() -> str:
    """What the names of this test's tables begin with."""
    return f"t{uuid4().hex[:12]}-"


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """No setting and no credentials of the person who runs the tests; dummy ones for local servers."""
    for name in list(os.environ):
        if name.startswith(("TABLESPLIT_", "AWS_", "OTEL_")) and not name.startswith("TABLESPLIT_TEST_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    monkeypatch.setenv("AWS_REGION", "ap-southeast-2")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
