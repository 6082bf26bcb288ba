"""Alert rules: sound, tested firing and not firing, and each with a step of the runbook."""

import re
from pathlib import Path

import pytest

from tests.observability.programs import PROMETHEUS, promtool
from tests.observability.rules import TESTS, alerts, expectations

STEP = re.compile(r"\{\{ \$externalLabels\.runbook_base \}\}deploy/RUNBOOK\.md#([a-z-]+)")


def test_prometheus_accepts_its_configuration_and_rules() -> None:
    assert f"{len(alerts())} rules found" in promtool("check", "config", "--lint-fatal", "prometheus.yml")


@pytest.mark.parametrize("path", TESTS, ids=lambda path: path.stem)
def test_alerts_fire_when_they_should_and_only_then(path: Path) -> None:
    assert "SUCCESS" in promtool("test", "rules", str(path.relative_to(PROMETHEUS)))


@pytest.mark.parametrize("name", alerts())
def test_an_alert_has_a_case_that_fires_and_one_that_does_not(name: str) -> None:
    assert {fires for alert, fires in expectations() if alert == name} == {True, False}


@pytest.mark.parametrize("name", alerts())
def test_an_alert_says_how_bad_what_with_its_value_and_what_to_do(name: str) -> None:
    rule = alerts()[name]
    annotations = rule["annotations"]
    assert rule["labels"]["severity"] in {"critical", "warning"}
    assert STEP.fullmatch(annotations["runbook_url"])
    assert annotations["summary"]
    assert "$value" in annotations["description"] or name == "TablesplitDown"  # a process that is down has no value
