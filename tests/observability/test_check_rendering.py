"""The check that a user runs against a Grafana: its answer for panels with data, without data, and for an unreachable Grafana."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread
from typing import Any

import pytest

from deploy.grafana.check_rendering import main
from tests.observability.boards import boards

VALUES = {"schema": {"fields": [{"name": "Time"}, {"name": "Value"}]}, "data": {"values": [[1, 2], [0.5, None]]}}
NOTHING = {"schema": {"fields": []}, "data": {"values": []}}
ENTRY = "tablesplit: Service health"


class Answers:
    """The stand-in's answers: the committed dashboards, and for each query its ``frames``, by expression, or VALUES."""

    def __init__(self) -> None:
        self.boards = {board["uid"]: board for board in boards().values()}
        self.frames: dict[str, list[Any] | None] = {}
        self.token: str | None = None
        self.source = "tablesplit"

    def get(self, path: str) -> Any:
        """The answer to a GET."""
        if path.startswith("/api/search"):
            return [{"uid": uid} for uid in self.boards]
        return {"dashboard": self.boards[path.rpartition("/")[2]]}

    def post(self, query: Any) -> Any:
        """The answer to a query; None when it is refused."""
        if query["datasource"]["uid"] != self.source or "$migration" in query["expr"]:
            return None
        frames = self.frames.get(query["expr"], [VALUES])
        return None if frames is None else {"results": {query["refId"]: {"frames": frames}}}


@pytest.fixture
def answers() -> Answers:
    return Answers()


@pytest.fixture
def url(answers: Answers) -> Iterator[str]:
    with served(answers) as address:
        yield address


@contextmanager
def served(answers: Answers) -> Iterator[str]:
    """The address of a stand-in for Grafana's HTTP API."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._send(answers.get(self.path))

        def do_POST(self) -> None:
            (query,) = json.loads(self.rfile.read(int(self.headers["Content-Length"])))["queries"]
            self._send(answers.post(query))

        def _send(self, document: Any) -> None:
            wanted = answers.token is None or self.headers["Authorization"] == f"Bearer {answers.token}"
            self.send_response(401 if not wanted else 400 if document is None else 200)
            self.end_headers()
            self.wfile.write(json.dumps(document).encode())

        def log_message(self, *_: object) -> None:
            """Log nothing."""

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_all_is_well_where_every_query_has_values(url: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([url]) == 0
    assert capsys.readouterr().out == f"{len(boards())} dashboards: every panel has data\n"


def test_panels_without_data_and_queries_that_fail_are_listed(
    answers: Answers, url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    answers.frames['tablesplit_ready{migration=~".*", job=~"sync|backfill"}'] = [NOTHING]
    answers.frames['max by (migration) (tablesplit_status_readable{migration=~".*"})'] = None
    readable = 'max by (migration) (tablesplit_status_readable{migration=~"$migration"})'
    assert main([url]) == 1
    assert capsys.readouterr().out.splitlines() == [
        f'{ENTRY} / Works: no data: tablesplit_ready{{migration=~"$migration", job=~"sync|backfill"}}',
        f"{ENTRY} / State of the migration: the query fails: {readable}",
    ]


def test_a_grafana_without_our_dashboards_is_reported(
    answers: Answers, url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    answers.boards = {}
    assert main([url]) == 2
    assert "is deploy/grafana/provisioning mounted?" in capsys.readouterr().err


def test_a_token_is_shown_where_one_is_given(answers: Answers, url: str, capsys: pytest.CaptureFixture[str]) -> None:
    answers.token = "secret"
    assert main([url, "secret"]) == 0
    assert main([url]) == 2
    assert "Unauthorized" in capsys.readouterr().err


def test_another_data_source_may_be_named(answers: Answers, url: str) -> None:
    answers.source = "prom-1"
    assert main([url, "secret", "prom-1"]) == 0
    assert main([url]) == 1


def test_an_unreachable_grafana_is_reported(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["http://127.0.0.1:9"]) == 2
    assert "http://127.0.0.1:9: Grafana does not answer" in capsys.readouterr().err
