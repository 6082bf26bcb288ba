"""A container engine, and the project's compose file in a project of the test's own."""

import json
import os
import subprocess
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from secrets import token_hex
from typing import Any

from service.errors import Misconfigured
from service.rehearsal.servers.local_servers import free_port
from tests.acceptance.command_line import until
from tests.fakes.servers import or_skip

ROOT = Path(__file__).parents[2]
IMAGE = "tablesplit:local"
STARTED_WITHIN = 600.0
PORTS = ("SYNC_PORT", "DYNAMODB_PORT", "PROMETHEUS_PORT", "GRAFANA_PORT")


def docker(*arguments: str, status: int | None = 0) -> str:
    """What a docker command prints; it must end with ``status``, with any when that is None."""
    done = subprocess.run(["docker", *arguments], cwd=ROOT, capture_output=True, text=True, timeout=600)
    assert status is None or done.returncode == status, f"{arguments}: {done.stdout[-2000:]}{done.stderr[-2000:]}"
    return done.stdout


def require_engine() -> None:
    """Skip without a container engine; fail in CI."""
    with or_skip():
        try:
            docker("compose", "version")
            docker("info")
        except (FileNotFoundError, AssertionError) as missing:
            raise Misconfigured(
                f"no container engine ({str(missing)[:200]})", remedy="start Docker Engine"
            ) from missing


@dataclass(frozen=True)
class Compose:
    """The compose file as a project of its own name, on free ports, with more files laid over it."""

    project: str
    ports: dict[str, int]
    over: tuple[str, ...] = ()

    def __call__(self, *arguments: str, status: int | None = 0) -> str:
        """What `docker compose` with these arguments prints as its answer."""
        return self._run(arguments, status).stdout

    def said(self, *arguments: str) -> str:
        """What it prints on the way, about pulls and builds."""
        return self._run(arguments, 0).stderr

    def _run(self, arguments: tuple[str, ...], status: int | None) -> "subprocess.CompletedProcess[str]":
        files = [part for name in ("docker-compose.yml", *self.over) for part in ("-f", name)]
        done = subprocess.run(
            ["docker", "compose", "-p", self.project, *files, *arguments],
            cwd=ROOT,
            env={**os.environ, **{name: str(port) for name, port in self.ports.items()}},
            capture_output=True,
            text=True,
            timeout=600,
        )
        assert status is None or done.returncode == status, f"{arguments}: {done.stdout}\n{done.stderr}\n{self.logs()}"
        return done

    def cli(self, *arguments: str, status: int = 0) -> Any:
        """The JSON document of a command in the service `cli`."""
        return json.loads(self("run", "--rm", "-T", "cli", *arguments, "--json", status=status))

    def logs(self) -> str:
        """The last lines of every service."""
        done = subprocess.run(
            ["docker", "compose", "-p", self.project, "logs", "--tail", "15"], cwd=ROOT, capture_output=True, text=True
        )
        return done.stdout[-6000:]

    def container(self, service: str) -> str:
        """The id of a service's container."""
        return self("ps", "--all", "--quiet", service).strip()

    def state(self, service: str) -> Any:
        """What the engine knows of a service's container."""
        return json.loads(docker("inspect", self.container(service)))[0]

    def get(self, port: str, path: str, *, token: str | None = None, body: bytes | None = None) -> tuple[int, str]:
        """Status and body of an HTTP answer of a service on this machine; 0 while nobody listens."""
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        url = f"http://127.0.0.1:{self.ports[port]}{path}"
        try:
            with urllib.request.urlopen(urllib.request.Request(url, body, headers), timeout=15) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()
        except OSError:
            return 0, ""

    def until(self, condition: Callable[[], object], within: float = 120.0) -> None:
        """Return once the condition holds; otherwise fail with the services' logs."""
        until(condition, within=within, otherwise=self.logs)


@contextmanager
def compose(*over: str) -> Iterator[Compose]:
    """A project that is gone afterwards, with its volumes."""
    require_engine()
    project = Compose(f"tablesplit-{token_hex(3)}", {name: free_port() for name in PORTS}, over)
    try:
        yield project
    finally:
        project("--profile", "*", "down", "--volumes", "--timeout", "5", status=None)
