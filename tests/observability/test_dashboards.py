"""Dashboards: complete, and about metrics that exist."""

import json
import re
from collections import Counter
from collections.abc import Iterator
from itertools import product
from pathlib import Path
from typing import Any

import pytest
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.cog.plugins import register_default_plugins
from grafana_foundation_sdk.models.dashboard import Dashboard

from deploy.grafana.build import FOLDER
from deploy.grafana.variables import of_chosen
from service.migration.status.gauges import GAUGES, READABLE
from tests.observability.boards import METRIC, OF_PROMETHEUS, QUOTED, boards, exposed, named, panels, queries
from tests.observability.programs import promtool
from tests.observability.rules import alerts, read

GRAFANA = FOLDER.parent
KEPT = re.compile(r"\bby \(([\w, ]+)\)|(\w+)=~?\"")
AGGREGATED = re.compile(r"\b(?:max|min|sum|count)\b(?: by \(([^)]*)\))?")
MATCHED = re.compile(r"\bon \(([^)]*)\)")
PANELS = [
    pytest.param(panel, id=f"{name}: {panel['title']}") for name, board in boards().items() for panel in panels(board)
]


@pytest.mark.parametrize("name", boards())
def test_grafanas_own_schema_accepts_every_dashboard(name: str) -> None:
    register_default_plugins()
    board = boards()[name]
    for mark in board["annotations"].get("list", []):  # the SDK does not know the words beside a mark
        assert {word: mark.pop(word) for word in ("step", "titleFormat")}
    assert plain(Dashboard.from_json(board)) == board


def test_every_graph_is_marked_for_a_minute_when_a_phase_begins(tmp_path: Path) -> None:
    marks = {name: board["annotations"].get("list", []) for name, board in boards().items()}
    assert {name for name, listed in marks.items() if not listed} == {"runbook.json"}
    ((text,),) = {tuple(mark["expr"] for mark in listed) for listed in marks.values() if listed}
    rules = {"groups": [{"name": "marks", "rules": [{"record": "moves", "expr": text.replace("$migration", ".*")}]}]}
    (tmp_path / "rules.yml").write_text(json.dumps(rules), encoding="utf-8")
    series = {"forward": "1 1 1 1 0 0 0 0 0", "dual": "0 0 0 0 1 1 1 1 1"}
    given = [
        {"series": f'tablesplit_phase{{migration="old", phase="{phase}"}}', "values": values}
        for phase, values in series.items()
    ]
    entered = {"labels": 'moves{migration="old", phase="dual"}', "value": 1}
    wanted = {"0s": [], "30s": [], "90s": [], "2m": [entered], "2m30s": [entered], "3m": [], "4m": []}
    asked = [{"expr": "moves", "eval_time": at, "exp_samples": samples} for at, samples in wanted.items()]
    run = {"interval": "30s", "input_series": given, "promql_expr_test": asked}
    test = {"rule_files": ["rules.yml"], "evaluation_interval": "30s", "tests": [run]}
    (tmp_path / "test.yml").write_text(json.dumps(test), encoding="utf-8")
    promtool("test", "rules", str(tmp_path / "test.yml"))


def plain(value: Any) -> Any:
    """``value`` as the SDK writes it, parsed as JSON."""
    return json.loads(json.dumps(value, cls=JSONEncoder))


@pytest.mark.parametrize("panel", PANELS)
def test_a_panel_says_what_it_shows_in_which_unit_and_what_to_do(panel: dict[str, Any]) -> None:
    assert panel["title"]
    assert panel["description"].endswith((".", "it."))
    assert panel["fieldConfig"]["defaults"]["unit"]
    assert panel["targets"]
    assert {one["datasource"]["uid"] for one in (panel, *panel["targets"])} == {"${source}"}
    assert panel["links"]


@pytest.mark.parametrize("name", sorted(boards().keys() - {"runbook.json"}))
def test_who_looks_chooses_the_data_source_and_the_migrations(name: str) -> None:
    source, migration = boards()[name]["templating"]["list"]
    assert (source["name"], source["type"], source["query"]) == ("source", "datasource", "prometheus")
    assert (migration["name"], migration["type"], migration["datasource"]["uid"]) == ("migration", "query", "${source}")
    assert migration["query"] == "label_values(tablesplit_status_readable, migration)"
    assert (migration["multi"], migration["includeAll"], migration["allValue"]) == (True, True, ".*")
    assert boards()[name]["links"][0]["includeVars"]
    assert "__inputs" not in boards()[name]  # an import asks for nothing


@pytest.mark.parametrize("place", queries())
def test_a_query_takes_the_chosen_migrations_and_keeps_them_apart(place: str) -> None:
    expr = queries()[place]
    assert expr.count('migration=~"$migration') == len(METRIC.findall(QUOTED.sub("", expr)))
    how_many_alerts = expr.startswith("count(ALERTS")  # of all that are chosen
    assert how_many_alerts or all("migration" in by.split(", ") for by in AGGREGATED.findall(expr))


@pytest.mark.parametrize("name", alerts())
def test_an_alert_is_judged_for_each_migration_and_names_it(name: str) -> None:
    rule = alerts()[name]
    assert all("migration" in by.split(", ") for by in AGGREGATED.findall(rule["expr"]))
    assert all("migration" in on.split(", ") for on in MATCHED.findall(rule["expr"]))
    assert "$labels.migration" in rule["annotations"]["summary"]


@pytest.mark.parametrize(
    ("expr", "chosen"),
    [
        ("max by (a) (tablesplit_x)", 'max by (a) (tablesplit_x{migration=~"$migration"})'),
        ('process_x{job="sync"}[1m]', 'process_x{migration=~"$migration", job="sync"}[1m]'),
        ("up == 0", 'up{migration=~"$migration|"} == 0'),
    ],
)
def test_the_choice_is_put_into_every_selector(expr: str, chosen: str) -> None:
    assert of_chosen(expr) == chosen


@pytest.mark.parametrize("name", boards())
def test_panels_neither_overlap_nor_leave_the_grid(name: str) -> None:
    taken = Counter(cell for panel in boards()[name]["panels"] for cell in cells(panel["gridPos"]))
    assert max(taken.values()) == 1
    assert max(x for x, _ in taken) == 23


def cells(place: dict[str, int]) -> Iterator[tuple[int, int]]:
    return product(range(place["x"], place["x"] + place["w"]), range(place["y"], place["y"] + place["h"]))


@pytest.mark.parametrize("what", ["id", "title"])
def test_no_two_panels_of_a_dashboard_have_one_number_or_title(what: str) -> None:
    for board in boards().values():
        said = [panel[what] for panel in board["panels"]]
        assert len(set(said)) == len(said)


def test_dashboards_and_alerts_name_metrics_that_exist() -> None:
    rules = [rule["expr"] for rule in alerts().values()]
    assert named([*queries().values(), *rules]) - OF_PROMETHEUS - exposed() == set()


def test_no_query_and_no_alert_takes_the_greatest_over_a_label() -> None:
    """`max` ignores NaN: for an unknown direction and one at 0 it would give 0."""
    rules = [rule["expr"] for rule in alerts().values()]
    merged = [
        (expr, label)
        for expr in [*queries().values(), *rules]
        for gauge in GAUGES
        if gauge.name in named([expr])
        for label in gauge.labels
        if label not in kept(expr)
    ]
    assert merged == []


def kept(expr: str) -> set[str]:
    """The labels by which an expression groups or selects."""
    return {label for by, selected in KEPT.findall(expr) for label in (*by.split(", "), selected)}


def test_what_is_known_of_the_whole_migration_is_on_some_dashboard() -> None:
    known = {READABLE, *(gauge.name for gauge in GAUGES)}
    assert known - named(queries().values()) == set()


def test_grafana_finds_the_data_source_and_the_dashboards() -> None:
    (source,) = read(GRAFANA / "provisioning/datasources/prometheus.yml")["datasources"]
    assert (source["uid"], source["type"], source["url"]) == ("tablesplit", "prometheus", "http://prometheus:9090")
    (provider,) = read(GRAFANA / "provisioning/dashboards/tablesplit.yml")["providers"]
    grafana = read(GRAFANA.parents[1] / "docker-compose.yml")["services"]["grafana"]
    mounted = {
        target: source for source, target, _ in (volume.split(":") for volume in grafana["volumes"] if ":ro" in volume)
    }
    assert mounted["/etc/grafana/provisioning"] == "./deploy/grafana/provisioning"
    assert mounted[provider["options"]["path"]] == "./deploy/grafana/dashboards"
    home = Path(grafana["environment"]["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"])
    assert (str(home.parent), home.name in boards()) == (provider["options"]["path"], True)
