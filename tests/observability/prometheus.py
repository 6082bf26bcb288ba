"""A real Prometheus, with the project's configuration and rules, that scrapes a test's processes."""

import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import yaml

from service.rehearsal.servers.local_servers import free_port
from tests.acceptance.command_line import ended, until
from tests.fakes.servers import required
from tests.observability.programs import PROMETHEUS
from tests.observability.rules import read

INTERVAL = "1s"

Ports = dict[str, int]
"""The port of each job of prometheus.yml."""


@dataclass(frozen=True)
class Prometheus:
    """Its HTTP API."""

    api: httpx.Client

    def query(self, expression: str) -> list[Any]:
        """The current series of a PromQL expression."""
        found: list[Any] = self._get("query", query=expression)["result"]
        return found

    def history(self, expression: str) -> list[Any]:
        """The labels of each series that the expression gave at some time in the last half hour, as for Grafana's annotations."""
        now = float(self.query("time()")[1])
        found = self._get("query_range", query=expression, start=str(now - 1800), end=str(now), step="15s")["result"]
        return [series["metric"] for series in found]

    def names(self, metric: str, label: str) -> list[str]:
        """The label's values, as for Grafana's ``label_values(metric, label)``."""
        found: list[str] = self._get(f"label/{label}/values", **{"match[]": metric})
        return found

    def rules(self) -> dict[str, Any]:
        """Each alert rule with its current state, by name."""
        return {rule["name"]: rule for group in self._get("rules")["groups"] for rule in group["rules"]}

    def judged(self, alert: str) -> set[str]:
        """The migrations of which the alert is pending or firing."""
        return {active["labels"].get("migration", "") for active in self.rules()[alert]["alerts"]}

    def ready(self) -> bool:
        """Whether it answers."""
        try:
            return self.api.get("/-/ready").is_success
        except httpx.TransportError:
            return False

    def _get(self, path: str, **params: str) -> Any:
        answer = self.api.get(f"/api/v1/{path}", params=params)
        assert answer.is_success, f"{params}: {answer.text}"
        return answer.json()["data"]


@contextmanager
def prometheus(folder: Path, targets: Mapping[str | None, Ports]) -> Iterator[Prometheus]:
    """Scrapes every second; ``targets``: the ports of each migration, by the name that its targets have (None: none)."""
    port = free_port()
    configuration = folder / "prometheus.yml"
    configuration.write_text(yaml.safe_dump(configured(targets)))
    command = [
        required("prometheus", "prometheus"),
        f"--config.file={configuration}",
        f"--storage.tsdb.path={folder / 'series'}",
        f"--web.listen-address=127.0.0.1:{port}",
    ]
    log = folder / "prometheus.log"
    with (
        log.open("wb") as said,
        ended(subprocess.Popen(command, stdout=said, stderr=said)),
        httpx.Client(base_url=f"http://127.0.0.1:{port}") as api,
    ):
        running = Prometheus(api)
        until(running.ready, within=30, otherwise=log.read_text)
        yield running


def configured(targets: Mapping[str | None, Ports]) -> dict[str, Any]:
    """The project's configuration with other addresses and shorter intervals."""
    configuration: dict[str, Any] = read(PROMETHEUS / "prometheus.yml")
    configuration["global"] |= {
        "scrape_interval": INTERVAL,
        "scrape_timeout": INTERVAL,
        "evaluation_interval": INTERVAL,
    }
    configuration["rule_files"] = [str(PROMETHEUS / name) for name in configuration["rule_files"]]
    for job in configuration["scrape_configs"]:
        job.pop("dns_sd_configs", None)
        job["static_configs"] = [
            {"targets": [f"127.0.0.1:{ports[job['job_name']]}"], "labels": {"migration": name} if name else {}}
            for name, ports in targets.items()
        ]
    return configuration
