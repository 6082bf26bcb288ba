"""Servers for tests: an endpoint that is given, a container, or a process of the test's own; or the reason why there is none."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from docker.errors import DockerException
from testcontainers.core.container import DockerContainer
from testcontainers.core.wait_strategies import HttpWaitStrategy

from service.errors import Misconfigured
from service.rehearsal.servers.dynamodb_local import BRIEF_LIFE
from service.rehearsal.servers.local_servers import dynamodb_local, moto_server

IMAGE = "amazon/dynamodb-local:3.3.0"
IN_MEMORY = [*BRIEF_LIFE, "-jar", "DynamoDBLocal.jar", "-inMemory", "-sharedDb"]
ENDPOINT_VARIABLE = "TABLESPLIT_TEST_ENDPOINT"


@contextmanager
def dynamodb_local_for_tests() -> Iterator[str]:
    """Endpoint URL: TABLESPLIT_TEST_ENDPOINT if set, else of a Java process, else, without Java, of a container."""
    given = os.environ.get(ENDPOINT_VARIABLE)
    if given:
        yield given
        return
    container = _container() if shutil.which("java") is None else None
    if container is None:
        with or_skip(), dynamodb_local() as url:
            yield url
        return
    with container:
        yield f"http://{container.get_container_host_ip()}:{container.get_exposed_port(8000)}"


@contextmanager
def moto_for_tests() -> Iterator[str]:
    """Endpoint URL of a moto server."""
    with or_skip(), moto_server() as url:
        yield url


def _container() -> DockerContainer | None:
    try:
        container = DockerContainer(IMAGE).with_exposed_ports(8000)
    except DockerException:
        return None
    # it logs before it listens, and answers 400 to an empty request
    return container.with_command(IN_MEMORY).waiting_for(HttpWaitStrategy(8000).for_status_code(400))


@contextmanager
def or_skip() -> Iterator[None]:
    """Skip a tier that cannot run here; fail in CI."""
    try:
        yield
    except Misconfigured as missing:
        if os.environ.get("CI") == "true":
            raise
        pytest.skip(f"{missing}: {missing.remedy}")


def required(name: str, package: str) -> str:
    """The path of a program; without it the test is skipped, and fails in CI. ``package``: Debian's package that has it."""
    with or_skip():
        path = shutil.which(name)
        if path is None:
            raise Misconfigured(f"{name} is not installed", remedy=f"apt-get install {package}")
        return path
