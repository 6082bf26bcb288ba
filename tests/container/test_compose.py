"""`docker compose up`, as a user does it: to the end of the backfill, and on through the death of every service."""

import json
import re
import shlex
from pathlib import Path
from secrets import token_hex
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.container.engine import ROOT, STARTED_WITHIN, Compose, compose, docker
from tests.documents.runbook import compose_commands

pytestmark = [pytest.mark.container, pytest.mark.slow]

SERVICES = ("dynamodb-local", "load", "seed", "create-tables", "sync", "backfill", "ready", "prometheus")
"""All but Grafana, whose image cannot be had on every machine."""

LONG_RUNNING = ("dynamodb-local", "seed", "sync", "prometheus")
TOKEN = "demonstration-only"

KILL_MAIN = """
import os, pathlib, signal, sys
for entry in pathlib.Path("/proc").glob("[0-9]*/cmdline"):
    words = entry.read_bytes().split(b"\\0")
    if b"sync" in words and int(entry.parent.name) != os.getpid():
        os.kill(int(entry.parent.name), signal.SIGKILL)
"""
"""kill -9 from inside: the engine takes its own `docker kill` for somebody's wish and does not restart what it killed so."""


def follow(stack: Compose, line: str, *more: str) -> str:
    """Run what the runbook says, and more that it need not say."""
    assert f"docker compose {line}" in {one.line for one in compose_commands()}
    return stack(*shlex.split(line), *more)


def metric(stack: Compose, name: str, **labels: str) -> float | None:
    """A sample with at least these labels on the page of sync; None where there is none."""
    _, page = stack.get("SYNC_PORT", "/metrics")
    samples = [sample for family in text_string_to_metric_families(page) for sample in family.samples]
    found = (one.value for one in samples if one.name == name and labels.items() <= one.labels.items())
    return next(found, None)


def configured(*arguments: str) -> Any:
    return json.loads(Compose("tablesplit-config", {})("--profile", "*", *arguments, "config", "--format", "json"))


def test_up_builds_an_image_that_is_missing_and_asks_no_registry_for_it(tmp_path: Path) -> None:
    name = f"tablesplit-{token_hex(3)}:local"
    renamed = tmp_path / "renamed.yml"
    renamed.write_text(f"services: {{cli: {{image: '{name}'}}}}")
    with compose(str(renamed)) as stack:
        try:
            said = stack.said("--profile", "cli", "up", "--no-start", "cli")
            assert docker("image", "inspect", "--format", "{{.RepoTags}}", name).strip() == f"[{name}]"
        finally:
            docker("image", "rm", name, status=None)
    assert "pull" not in said.lower(), said


def test_every_service_is_restricted_limited_and_local() -> None:
    with compose():  # only to ask for an engine
        services = configured()["services"]
    for name, service in services.items():
        assert service["cap_drop"] == ["ALL"], name
        assert service["security_opt"] == ["no-new-privileges:true"], name
        assert service["read_only"] is True, name
        assert {"cpus", "memory"} <= service["deploy"]["resources"]["limits"].keys(), name
        assert all(port["host_ip"] == "127.0.0.1" for port in service.get("ports", [])), name
        assert not any(mount["type"] == "volume" and not mount.get("source") for mount in service.get("volumes", []))
        assert ":" in service["image"], name
        assert not service["image"].endswith(":latest"), name
    assert all(services[name]["restart"] == "unless-stopped" for name in (*LONG_RUNNING, "grafana"))


def test_against_aws_nothing_of_the_demonstration_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_REGION", "OLD_TABLE_NAME", "TABLESPLIT_API_TOKEN"):
        monkeypatch.setenv(name, "given")
    with compose():
        stack = Compose("tablesplit-config", {}, ("deploy/compose.aws.yml",))
        started = json.loads(stack("config", "--format", "json"))["services"]
        services = json.loads(stack("--profile", "cli", "--profile", "copy", "config", "--format", "json"))["services"]
    assert started.keys() == {
        "create-tables",
        "sync",
        "prometheus",
        "grafana",
    }  # nothing is copied before somebody asks for it
    assert services.keys() == {*started, "backfill", "ready", "cli"}
    for name in ("create-tables", "sync", "backfill", "ready", "cli"):
        assert "AWS_ENDPOINT_URL" not in services[name]["environment"], name
        assert {"target": "/mappings", "read_only": True}.items() <= services[name]["volumes"][0].items(), name
        assert services[name]["environment"]["OLD_TABLE_NAME"] == "given"


def test_up_leads_to_a_running_migration_that_survives_the_death_of_every_service_and_cuts_over(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("OPPORTUNITIES", "400")
    with compose() as stack:
        follow(stack, "up -d", "--build", *SERVICES)
        _says_when_it_is_ready_and_where_to_look(stack)
        _shows_page_status_and_metrics(stack)
        _prometheus_scrapes_and_has_the_rules(stack)
        _refuses_a_wrong_token(stack)
        _sync_killed_under_load_comes_back(stack)
        _stops_within_ten_seconds(stack)
        for service in ("prometheus", "seed", "dynamodb-local"):
            _survives_a_restart_of(stack, service)
        _nothing_is_lost(stack)
        _the_application_moves_over_as_the_runbook_says(stack)
        _nothing_is_lost(stack)
        _leaves_nothing(stack)


def _says_when_it_is_ready_and_where_to_look(stack: Compose) -> None:
    stack.until(lambda: stack.state("ready")["State"]["Status"] == "exited", STARTED_WITHIN)
    said = follow(stack, "logs -f ready", "--no-log-prefix")
    assert stack.state("ready")["State"]["ExitCode"] == 0, said
    assert re.search(r"backfill +finished: \d{3,} items", said)
    assert re.search(r"forward +caught up", said)
    for name, port in (("console", "SYNC_PORT"), ("Prometheus", "PROMETHEUS_PORT"), ("Grafana", "GRAFANA_PORT")):
        assert re.search(rf"{name} +http://127\.0\.0\.1:{stack.ports[port]}/", said)


def _shows_page_status_and_metrics(stack: Compose) -> None:
    assert stack.get("SYNC_PORT", "/readyz") == (200, "ready\n")
    status, page = stack.get("SYNC_PORT", "/")
    assert status == 200
    assert "<title>" in page
    assert stack.cli("status")["backfill"]["state"] == "finished"
    assert metric(stack, "tablesplit_phase", phase="forward") == 1


def _prometheus_scrapes_and_has_the_rules(stack: Compose) -> None:
    def asked(query: str) -> list[Any]:
        status, answer = stack.get("PROMETHEUS_PORT", f"/api/v1/query?query={query}")
        return json.loads(answer)["data"]["result"] if status == 200 else []

    stack.until(lambda: [one["value"][1] for one in asked("up{job='sync'}")] == ["1"])
    stack.until(lambda: [one["value"][1] for one in asked("tablesplit_caught_up{direction='forward'}")] == ["1"])
    groups = json.loads(stack.get("PROMETHEUS_PORT", "/api/v1/rules")[1])["data"]["groups"]
    loaded = {rule["name"] for group in groups for rule in group["rules"]}
    written = set(re.findall(r"- alert: (\w+)", (ROOT / "deploy" / "prometheus" / "alerts.yml").read_text()))
    assert loaded >= written > set()


def _refuses_a_wrong_token(stack: Compose) -> None:
    status, answer = stack.get("SYNC_PORT", "/v1/validation", token="wrong", body=b"{}")
    assert status == 401
    assert "token" in json.loads(answer)["detail"]


def _sync_killed_under_load_comes_back(stack: Compose) -> None:
    before = stack.state("sync")["RestartCount"]
    stack("exec", "-T", "sync", "python", "-c", KILL_MAIN, status=None)
    stack.until(lambda: stack.state("sync")["RestartCount"] > before)
    stack.until(lambda: stack.get("SYNC_PORT", "/readyz")[0] == 200)
    stack.until(lambda: stack.cli("status")["forward"]["caught_up"])


def _stops_within_ten_seconds(stack: Compose) -> None:
    stack("stop", "--timeout", "10", "sync")
    assert stack.state("sync")["State"]["ExitCode"] == 0  # 137 had it not ended by itself
    assert "sync stopped; what was applied is saved" in stack("logs", "--no-log-prefix", "--tail", "5", "sync")
    stack("start", "sync")
    stack.until(lambda: stack.get("SYNC_PORT", "/readyz")[0] == 200)


def _survives_a_restart_of(stack: Compose, service: str) -> None:
    """Sync may say ready for a moment longer, of what it saw before: the service itself must answer first."""
    stack("restart", "--timeout", "10", service)
    stack.until(lambda: stack.state(service)["State"]["Health"]["Status"] == "healthy")
    stack.until(lambda: stack.get("SYNC_PORT", "/readyz")[0] == 200)


def _the_application_moves_over_as_the_runbook_says(stack: Compose) -> None:
    stack.until(lambda: "open\n" in stack("run", "--rm", "-T", "cli", "cutover", "--dry-run", status=None))
    stack.cli("cutover", "--yes", "--wait", "120", "--why", "moving to v2")
    follow(stack, "up -d seed-v2")
    follow(stack, "stop seed")
    follow(stack, "restart sync")
    stack.until(lambda: sum(stack.cli("status")["reverse"]["outcomes"].values()) > 0)
    _no_restart_of_one_part_restarts_the_application(stack)
    follow(stack, "start seed")
    follow(stack, "stop seed-v2")


def _no_restart_of_one_part_restarts_the_application(stack: Compose) -> None:
    """Compose starts what a service depends on as well, with `start` and with `up`."""
    stack("stop", "--timeout", "10", "sync")
    stack("start", "sync")
    stack("up", "--detach", "sync", "backfill", "ready")
    stack.until(lambda: stack.get("SYNC_PORT", "/readyz")[0] == 200)
    assert stack.state("seed")["State"]["Status"] == "exited"


def _leaves_nothing(stack: Compose) -> None:
    follow(stack, '--profile "*" down -v', "--timeout", "5")
    volumes = docker("volume", "ls", "--quiet", "--filter", f"label=com.docker.compose.project={stack.project}")
    assert (stack("ps", "--all", "--quiet"), volumes) == ("", "")


def _nothing_is_lost(stack: Compose) -> None:
    """The application's writes go on while everything is compared."""
    stack.until(lambda: stack.cli("status")["forward"]["caught_up"])
    report = stack.cli("validate")
    assert report["result"] == "equal"
    assert sum(counts["old"] for counts in report["counts"].values()) > 500


def test_every_command_of_the_runbook_for_compose_is_followed_here() -> None:
    text = Path(__file__).read_text(encoding="utf-8")
    followed = {
        line for pair in re.findall(r"""follow\(stack, (?:"([^"]+)"|'([^']+)')""", text) for line in pair if line
    }
    assert {f"docker compose {line}" for line in followed} == {one.line for one in compose_commands()}


def test_a_server_that_forgot_everything_stops_the_migration_and_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPPORTUNITIES", "50")
    with compose("tests/container/in_memory.yml") as stack:
        stack("up", "--detach", "--build", "dynamodb-local", "seed", "create-tables", "sync")
        stack.until(lambda: stack.get("SYNC_PORT", "/readyz")[0] == 200, STARTED_WITHIN)
        stack("stop", "seed")
        stack("restart", "--timeout", "2", "dynamodb-local")
        # first it cannot connect; once the server is back, what is not there any more is said, with what to do
        stack.until(lambda: "tablesplit create-tables" in stack.get("SYNC_PORT", "/readyz")[1])
        assert stack.get("SYNC_PORT", "/readyz")[0] == 503
        stack.until(lambda: metric(stack, "tablesplit_ready") == 0)
        assert metric(stack, "tablesplit_status_readable") == 0
