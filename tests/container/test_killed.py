"""The image under testcontainers: `sync` killed under load loses nothing, whoever goes on with its work."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from testcontainers.core.container import DockerContainer
from testcontainers.core.network import Network
from testcontainers.core.wait_strategies import HttpWaitStrategy

from tests.acceptance.command_line import LASTING, until
from tests.container.engine import IMAGE, docker, require_engine
from tests.fakes.servers import IN_MEMORY

pytestmark = [pytest.mark.container, pytest.mark.kill, pytest.mark.slow]

SETTINGS = {
    "AWS_ENDPOINT_URL": "http://dynamodb:8000",
    "AWS_ACCESS_KEY_ID": "local",
    "AWS_SECRET_ACCESS_KEY": "local",
    "TABLESPLIT_LEASE_SECONDS": "60",  # longer than a busy machine lets a worker stand still
}


@pytest.fixture
def network() -> Iterator[Network]:
    require_engine()
    docker("build", "--quiet", "--tag", IMAGE, ".")
    with Network() as made:
        yield made


def image(network: Network, *command: str) -> DockerContainer:
    container = DockerContainer(IMAGE).with_network(network).with_command(list(command)).with_kwargs(read_only=True)
    for name, value in SETTINGS.items():
        container.with_env(name, value)
    return container


@contextmanager
def dynamodb(network: Network) -> Iterator[DockerContainer]:
    container = DockerContainer("amazon/dynamodb-local:3.1.0").with_network(network).with_network_aliases("dynamodb")
    container.with_command(IN_MEMORY).with_exposed_ports(8000)
    with container.waiting_for(HttpWaitStrategy(8000).for_status_code(400)) as started:
        yield started


def ended(network: Network, *command: str) -> Any:
    """The document of a command that runs to its end in a container, successfully."""
    with image(network, *command, "--json").with_envs(**LASTING) as container:
        wrapped = container.get_wrapped_container()
        status = wrapped.wait(timeout=600)["StatusCode"]
        out, said = (wrapped.logs(stdout=True, stderr=False), wrapped.logs(stdout=False, stderr=True))
        assert status == 0, said.decode()
        return json.loads(out)


def test_killed_while_the_application_writes_and_replaced_it_loses_nothing(network: Network) -> None:
    with dynamodb(network):
        ended(network, "tablesplit", "seed", "--opportunities", "200")
        ended(network, "tablesplit", "create-tables")
        writing = ("tablesplit", "seed", "--opportunities", "200", "--write", "old", "--pause-seconds", "0.02")
        with image(network, *writing):
            with image(network, "tablesplit", "sync") as first:
                ended(network, "python", "-m", "backfill")
                applied = ended(network, "tablesplit", "status")["forward"]["outcomes"].get("applied", 0)
                assert applied > 0, "the application has not written yet"
                first.get_wrapped_container().kill("SIGKILL")
            with image(network, "tablesplit", "sync") as second:
                report = ended(network, "tablesplit", "status", "--until-caught-up=540")
                assert report["forward"]["caught_up"]
                assert ended(network, "tablesplit", "validate")["result"] == "equal"
                second.get_wrapped_container().kill("SIGTERM")
                until(lambda: _exit_status(second) == 0, within=10, otherwise=lambda: "sync has not ended by itself")


def _exit_status(container: DockerContainer) -> int | None:
    wrapped = container.get_wrapped_container()
    wrapped.reload()
    state = wrapped.attrs["State"]
    return None if state["Running"] else int(state["ExitCode"])
