"""A dashboard's variables: which Prometheus its values come from, and which migrations it shows."""

import re

from grafana_foundation_sdk.builders import dashboard
from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.models import dashboard as model

SOURCE = model.DataSourceRef(type_val="prometheus", uid="${source}")
"""The data source that the variable ``source`` names."""

PRESET = model.VariableOption(text="tablesplit", value="tablesplit")
"""The data source that provisioning/datasources defines. A Grafana without it takes its first Prometheus."""

NAMES = "label_values(tablesplit_status_readable, migration)"
SERIES = re.compile(
    r"\b(?:(?P<own>(?:tablesplit|process|python)_\w+)|up|ALERTS|scrape_duration_seconds)\b(?:\{(?P<only>[^}]*)\})?"
)


ENTERED = (
    "max by (migration, phase) (tablesplit_phase) == 1 unless max by (migration, phase) (tablesplit_phase offset 1m) == 1 "
    "and on (migration) max by (migration) (tablesplit_phase offset 1m)"
)
"""For the first minute of a phase: the phase. Not where nothing was known a minute before: then nobody has seen it begin."""


class _Moves(model.AnnotationQuery):
    """With the words beside a mark, which Grafana reads and its SDK does not know."""

    def to_json(self) -> dict[str, object]:
        return {**super().to_json(), "titleFormat": "{{migration}}: {{phase}}", "step": "60s"}


class MarkedMoves(Builder[model.AnnotationQuery]):
    """The mark on every graph where the phase has changed."""

    def build(self) -> model.AnnotationQuery:
        return _Moves("Phase moves", SOURCE, enable=True, icon_color="purple", expr=of_chosen(ENTERED))


def add_variables(drawn: dashboard.Dashboard) -> None:
    """Let who looks choose the data source, and any of its migrations; all of them are shown first."""
    source = dashboard.DatasourceVariable("source").label("Prometheus").type("prometheus").current(PRESET)
    migrations = dashboard.QueryVariable("migration").label("Migration").datasource(SOURCE).query(NAMES)
    migrations.refresh(model.VariableRefresh.ON_TIME_RANGE_CHANGED).sort(model.VariableSort.ALPHABETICAL_ASC)
    everything = model.VariableOption(text=["All"], value=["$__all"])
    migrations.multi(True).include_all(True).all_value(".*").current(everything)
    drawn.with_variable(source).with_variable(migrations)


def of_chosen(expr: str) -> str:
    """``expr``, each series only of the chosen migrations. Prometheus's own series have the label only where their target has it:
    without it they are always shown."""
    return SERIES.sub(_selected, expr)


def _selected(series: re.Match[str]) -> str:
    name = series[0].partition("{")[0]
    chosen = 'migration=~"$migration"' if series["own"] else 'migration=~"$migration|"'
    return f"{name}{{{', '.join(filter(None, (chosen, series['only'])))}}}"
