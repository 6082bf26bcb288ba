"""The alert rules, and what their unit tests expect, as read from the files."""

import re
from pathlib import Path
from typing import Any

import yaml

from tests.observability.programs import PROMETHEUS

SERIES = re.compile(r"\b(?:tablesplit_\w+|up)\b(?:\{[^}]*\})?")
TESTS = sorted((PROMETHEUS / "tests").glob("*.yml"))


def alerts() -> dict[str, dict[str, Any]]:
    """Each alert's rule, by its name."""
    groups = read(PROMETHEUS / "alerts.yml")["groups"]
    return {rule["alert"]: rule for group in groups for rule in group["rules"]}


def alert_series() -> list[str]:
    """The series of the alerts without their comparisons, which give no series while all is well."""
    return sorted({series for rule in alerts().values() for series in SERIES.findall(rule["expr"])})


def expectations() -> list[tuple[str, bool]]:
    """(alert, whether it is expected to fire) of every case in the rules' unit tests."""
    return [
        (case["alertname"], bool(case["exp_alerts"]))
        for path in TESTS
        for test in read(path)["tests"]
        for case in test["alert_rule_test"]
    ]


def read(path: Path) -> Any:
    """A YAML document."""
    return yaml.safe_load(path.read_text(encoding="utf-8"))
