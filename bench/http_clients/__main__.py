"""Runs every client on every event loop, by turns, each in a process of its own, and prints the table."""

import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

from bench.http_clients.clients import CLIENTS
from tests.fakes.certificates import private_authority

ROOT = Path(__file__).parent.parent.parent
ROUNDS, REQUESTS = 2, 2_000
LOOPS = ("asyncio", "uvloop")
FLOOR = "httptools, nothing around it"


@contextmanager
def serving(certificate: list[str]) -> Iterator[str]:
    """URL of the server, in a process of its own."""
    command = [sys.executable, "-m", "bench.http_clients.server", *certificate]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE) as server:
        assert server.stdout is not None
        port = int(server.stdout.readline())
        try:
            yield f"{'https' if certificate else 'http'}://127.0.0.1:{port}"
        finally:
            server.kill()


def least(client: str, loop: str, urls: list[str], bundle: str, best: dict[tuple[str, str, str], float]) -> None:
    """Measure once on each of ``urls``, and keep the least in ``best``: anything above comes from other work of the machine."""
    for url in urls:
        command = [sys.executable, "-m", "bench.http_clients.clients", client, loop, url, bundle, str(REQUESTS)]
        done = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True)
        key = (client, loop, url)
        best[key] = min(best.get(key, float("inf")), float(done.stdout))
        print(f"{client:30}{loop:9}{url:26}{float(done.stdout):8.1f} us", file=sys.stderr, flush=True)


def main() -> None:
    """Measure everything, and print the table."""
    loops = [loop for loop in LOOPS if loop == "asyncio" or find_spec(loop)]
    clients = [name for name in CLIENTS if not name.isidentifier() or name == "ours" or find_spec(name)]
    best: dict[tuple[str, str, str], float] = {}
    with tempfile.TemporaryDirectory() as folder:
        authority = private_authority(Path(folder))
        with serving([]) as plain, serving([str(authority.certificate), str(authority.key)]) as tls:
            for _ in range(ROUNDS):
                for client in clients:
                    for loop in loops if client != "ours" else ("asyncio",):
                        least(client, loop, [plain, tls], str(authority.bundle), best)
    print("| client | event loop | CPU of a request, TCP | ratio | TLS | ratio |\n|---|---|---|---|---|---|")
    for client, loop in dict.fromkeys(key[:2] for key in best):
        cells = [
            f"{best[client, loop, url]:.0f} us | {best[client, loop, url] / best[FLOOR, 'asyncio', url]:.2f}"
            for url in (plain, tls)
        ]
        print(f"| {client} | {loop} | {' | '.join(cells)} |")


if __name__ == "__main__":
    main()
