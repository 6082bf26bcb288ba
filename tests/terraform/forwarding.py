"""A record of who asks what of a DynamoDB endpoint, on the way there: in the form of ``recording``, for servers other than moto."""

import json
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Lock, Thread
from typing import Any

from tests.terraform.recording import calls

PASSED_ON = ("Content-Type", "X-Amz-Target", "Authorization", "X-Amz-Date", "X-Amz-Security-Token")


class Forwarding(BaseHTTPRequestHandler):
    """Passes a request on to ``endpoint``, and writes down what it asks for: by Java, which is KCL's daemon, or by ourselves."""

    protocol_version = "HTTP/1.1"
    endpoint = ""
    file: Path
    lock = Lock()

    def do_POST(self) -> None:
        """One request of the protocol of DynamoDB or its streams."""
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self._write(self.headers["X-Amz-Target"].rpartition(".")[2], json.loads(body))
        headers = {name: value for name in PASSED_ON if (value := self.headers[name])}
        try:
            with urllib.request.urlopen(urllib.request.Request(self.endpoint, body, headers), timeout=30) as answer:
                self._answer(answer.status, answer.headers, answer.read())
        except urllib.error.HTTPError as refused:
            self._answer(refused.code, refused.headers, refused.read())

    def _write(self, operation: str, request: dict[str, Any]) -> None:
        who = "kcl" if "aws-sdk-java" in self.headers.get("User-Agent", "") else "sync"
        lines = [json.dumps([who, action, resource]) + "\n" for action, resource in calls(operation, request)]
        with self.lock, self.file.open("a") as file:
            file.writelines(lines)

    def _answer(self, status: int, headers: Any, body: bytes) -> None:
        self.send_response(status)
        for name in ("Content-Type", "x-amzn-RequestId", "x-amz-crc32"):
            if headers[name]:
                self.send_header(name, headers[name])
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def handle(self) -> None:
        """The requests of one connection, until either side has gone."""
        with suppress(ConnectionError):
            super().handle()

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


@contextmanager
def forwarded(endpoint: str, file: Path) -> Iterator[str]:
    """The URL at which ``endpoint`` is to be asked, for the block, so that ``file`` gets the record."""
    handler = type("_Forwarding", (Forwarding,), {"endpoint": endpoint, "file": file})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
