"""An AWS account as data: an endpoint over HTTP that answers each call by its name, in the form of AWS's own answers.

It speaks the JSON protocol of DynamoDB, KMS and Application Auto Scaling, and the paths of Lambda and EventBridge Pipes. What it is
not told to answer, it refuses as AWS refuses a caller without the permission.
"""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest

CALLER = "arn:aws:sts::123456789012:assumed-role/operator/eve"
PATHS = {
    "/2015-03-31/event-source-mappings": ("lambda", "ListEventSourceMappings"),
    "/v1/pipes": ("pipes", "ListPipes"),
}
SERVICES = {
    "DynamoDB_20120810": "dynamodb",
    "DynamoDBStreams_20120810": "dynamodb",
    "TrentService": "kms",
    "AnyScaleFrontendService": "application-autoscaling",
}
ASKED_BESIDE = ("KMS", "KINESIS", "LAMBDA", "PIPES", "APPLICATION_AUTO_SCALING")
"""Services that are asked on a local server only where the environment names an endpoint for them."""

Answer = dict[str, Any] | Callable[[dict[str, Any]], dict[str, Any]]


@dataclass
class Refusal:
    """An error answer."""

    code: str
    message: str
    status: int = 400


@dataclass
class AwsAccount:
    """``answers`` by the name of the call: the content, a function of the request, or a refusal."""

    answers: dict[str, Answer | Refusal]
    url: str = ""
    received: list[tuple[str, dict[str, Any]]] = field(default_factory=list)

    def begin(self, monkeypatch: pytest.MonkeyPatch, answers: dict[str, Answer | Refusal]) -> None:
        """From now on it has these answers, and is the endpoint of every service until the test's end."""
        self.answers = answers
        self.received.clear()
        for service in ASKED_BESIDE:
            monkeypatch.setenv(f"AWS_ENDPOINT_URL_{service}", self.url)

    def requests(self, operation: str) -> list[dict[str, Any]]:
        """What was asked by that call, in order."""
        return [request for name, request in self.received if name == operation]

    def answer(self, service: str, operation: str, request: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        """Status and content of one answer."""
        self.received.append((operation, request))
        found = self.answers.get(operation) or denied(service, operation)
        if isinstance(found, Refusal):
            return found.status, {"__type": f"com.amazonaws#{found.code}", "message": found.message}
        return 200, found(request) if callable(found) else found


def denied(service: str, operation: str) -> Refusal:
    """AWS's refusal of a caller whose policies do not allow the call."""
    why = "because no identity-based policy allows the action"
    message = f"User: {CALLER} is not authorized to perform: {service}:{operation} on resource: * {why}"
    return Refusal("AccessDeniedException", message)


@contextmanager
def aws_account() -> Iterator[AwsAccount]:
    """An account without answers, for the block."""
    account = AwsAccount({})
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler_of(account))
    account.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield account
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _handler_of(account: AwsAccount) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            service, _, operation = self.headers["x-amz-target"].partition(".")
            body = self.rfile.read(int(self.headers["content-length"]))
            self._say(*account.answer(SERVICES[service], operation, json.loads(body)))

        def do_GET(self) -> None:
            asked = urlsplit(self.path)
            self._say(*account.answer(*PATHS[asked.path.rstrip("/")], dict(parse_qsl(asked.query))))

        def _say(self, status: int, content: dict[str, Any]) -> None:
            body = json.dumps(content).encode()
            self.send_response(status)
            self.send_header("content-length", str(len(body)))
            if status != 200:
                self.send_header("x-amzn-errortype", content["__type"].rpartition("#")[2])
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
            pass

    return Handler
