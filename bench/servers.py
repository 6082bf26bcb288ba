"""The servers of the benchmark, each in a process of its own for a block: the memory server, and DynamoDB Local behind it."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.fakes.certificates import Authority

ROOT = Path(__file__).parent.parent


@contextmanager
def memory_server(
    items: int, other: str, *, shards: int = 1, authority: Authority | None = None, record: Path | None = None
) -> Iterator[str]:
    """URL of a memory server with so many items; ``other``: URL of the server that has the control table.

    ``shards``: of the old table's stream; ``authority``: it speaks TLS, with the certificate of that authority; ``record``: the
    file that gets the writes of items.
    """
    command = [sys.executable, "-m", "bench.memory", str(items), other, "--shards", str(shards)]
    if authority is not None:
        command += ["--certificate", str(authority.certificate), str(authority.key)]
    if record is not None:
        command += ["--record", str(record)]
    with _serving(command) as port:
        yield f"{'http' if authority is None else 'https'}://127.0.0.1:{port}"


@contextmanager
def recorder(other: str, record: Path) -> Iterator[str]:
    """URL of a server that passes all on to ``other``, and records the requests about items."""
    command = [sys.executable, "-m", "bench.memory.recorder", other, str(record)]
    with _serving(command) as port:
        yield f"http://127.0.0.1:{port}"


@contextmanager
def _serving(command: list[str]) -> Iterator[int]:
    """The port of a server that prints it."""
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE) as server:
        assert server.stdout is not None
        try:
            yield int(server.stdout.readline())
        finally:
            server.kill()


def trusting(authority: Authority | None) -> dict[str, str]:
    """The environment of a client that trusts ``authority``."""
    return {**os.environ} if authority is None else {**os.environ, "AWS_CA_BUNDLE": str(authority.bundle)}
