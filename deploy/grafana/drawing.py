"""Makes Grafana's JSON of a dashboard, with its Foundation SDK."""

import json
from collections.abc import Callable
from typing import TypeVar

from grafana_foundation_sdk.builders import (
    bargauge,
    common,
    dashboard,
    prometheus,
    stat,
    statetimeline,
    table,
    timeseries,
)
from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models import common as looks
from grafana_foundation_sdk.models import dashboard as model
from grafana_foundation_sdk.models.prometheus import PromQueryFormat

from deploy.grafana.boards import GREY, Board, Kind, Panel, Query, Section, Word
from deploy.grafana.runbook import TITLE, UID, add_steps, step_url
from deploy.grafana.variables import SOURCE, MarkedMoves, add_variables, of_chosen

TAG = "tablesplit"
INSTANT: tuple[Kind, ...] = ("stat", "bars", "table")
"""Kinds of panels that show the present only: they do not query series that have ended."""

ALL_ZERO = model.MatcherConfig("byValue", {"reducer": "allIsZero", "op": "gte", "value": 0})
"""A series that is 0 in the whole time shown; Grafana wants a comparison, and does without it."""

UNNAMED = model.DynamicConfigValue("custom.hideFrom", {"legend": True, "tooltip": False, "viz": False})
"""Out of the legend, still on the graph."""

AnyPanel = TypeVar("AnyPanel", stat.Panel, timeseries.Panel, statetimeline.Panel, bargauge.Panel, table.Panel)


def draw(board: Board) -> str:
    """The JSON text of a dashboard. It depends on ``board`` alone, not on time or machine."""
    drawn = _empty(board.uid, board.title, board.description).refresh("5s").time("now-30m", "now")
    add_variables(drawn)
    drawn.annotation(MarkedMoves())
    for section in board.sections:
        drawn.with_row(dashboard.Row(section.title))
        for panel in section.panels:
            drawn.with_panel(DRAWN_BY[panel.kind](panel, section))
    return _numbered(drawn)


def draw_runbook(source: str) -> str:
    """The JSON text of the dashboard that shows a runbook in Markdown."""
    drawn = _empty(UID, TITLE, "What to do, step by step. The alerts and the panels of the other dashboards lead here.")
    add_steps(drawn, source)
    return _text(drawn.build())


def _empty(uid: str, title: str, description: str) -> dashboard.Dashboard:
    """A dashboard without panels, with links to the others."""
    others = dashboard.DashboardLink("tablesplit").type(model.DashboardLinkType.DASHBOARDS).tags([TAG])
    drawn = dashboard.Dashboard(title).uid(uid).description(description).tags([TAG]).timezone("browser").readonly()
    return drawn.tooltip(model.DashboardCursorSync.CROSSHAIR).link(
        others.as_dropdown(False).keep_time(True).include_vars(True).icon("")
    )


def _numbered(drawn: dashboard.Dashboard) -> str:
    """The JSON text of a dashboard, its panels numbered in their order."""
    built = drawn.build()
    for number, panel in enumerate(built.panels or [], start=1):
        panel.id_val = number
    return _text(built)


def _text(built: model.Dashboard) -> str:
    return json.dumps(built, cls=JSONEncoder, indent=1, sort_keys=True) + "\n"


def _stat(panel: Panel, section: Section) -> Builder[model.Panel]:
    drawn = _common(stat.Panel(), panel, section).graph_mode(looks.BigValueGraphMode.NONE)
    if panel.rows:
        drawn.orientation(looks.VizOrientation.HORIZONTAL)
    mode = looks.BigValueTextMode.NAME if panel.names else looks.BigValueTextMode.AUTO
    return drawn.text_mode(mode).color_mode(looks.BigValueColorMode.BACKGROUND).reduce_options(_last())


def _graph(panel: Panel, section: Section) -> Builder[model.Panel]:
    lines = looks.GraphThresholdsStyleMode.DASHED if panel.steps else looks.GraphThresholdsStyleMode.OFF
    drawn = _common(timeseries.Panel(), panel, section).min(0).fill_opacity(10).show_points(looks.VisibilityMode.NEVER)
    drawn.color_scheme(dashboard.FieldColor().mode(model.FieldColorModeId.PALETTE_CLASSIC))
    drawn.thresholds_style(common.GraphThresholdsStyleConfig().mode(lines))
    if panel.reach is not None:
        drawn.axis_soft_max(panel.reach)
    if panel.busy:
        drawn.with_override(ALL_ZERO, [UNNAMED])
    tooltip = common.VizTooltipOptions().mode(looks.TooltipDisplayMode.MULTI).sort(looks.SortOrder.DESCENDING)
    return drawn.tooltip(tooltip.hide_zeros(True)).legend(_legend())


def _timeline(panel: Panel, section: Section) -> Builder[model.Panel]:
    drawn = _common(statetimeline.Panel(), panel, section).show_value(looks.VisibilityMode.NEVER)
    return drawn.fill_opacity(70).line_width(0).merge_values(True).row_height(0.8).legend(_legend())


def _bars(panel: Panel, section: Section) -> Builder[model.Panel]:
    drawn = _common(bargauge.Panel(), panel, section).min(0).reduce_options(_last())
    return drawn.display_mode(looks.BarGaugeDisplayMode.BASIC).orientation(looks.VizOrientation.HORIZONTAL)


def _table(panel: Panel, section: Section) -> Builder[model.Panel]:
    """One row for each series, one column for each label but that which a target's own label has taken the place of."""
    excluded = dict.fromkeys(("Time", "Value", "__name__", "exported_migration"), True)
    order = {name: place for place, name in enumerate(("migration", "job", "instance", "version", "mapping"))}
    drawn = _common(table.Panel(), panel, section).align(looks.FieldTextAlignment.AUTO)
    return drawn.with_transformation(
        model.DataTransformerConfig(id_val="organize", options={"excludeByName": excluded, "indexByName": order})
    )


DRAWN_BY: dict[Kind, Callable[[Panel, Section], Builder[model.Panel]]] = {
    "stat": _stat,
    "graph": _graph,
    "timeline": _timeline,
    "bars": _bars,
    "table": _table,
}


def _common(drawn: AnyPanel, panel: Panel, section: Section) -> AnyPanel:
    """Set what all kinds of panels have."""
    drawn.title(panel.title).description(panel.description).unit(panel.unit).datasource(SOURCE)
    drawn.height(section.height).span(panel.width).no_value("no data")
    drawn.links([dashboard.DashboardLink("Runbook: " + panel.step).url(step_url(panel.step)).target_blank(True)])
    drawn.thresholds(_thresholds(panel)).mappings(_words(panel))
    for number, query in enumerate(panel.queries):
        drawn.with_target(_target(query, chr(ord("A") + number), panel.kind))
    return drawn


def _target(query: Query, ref: str, kind: Kind) -> prometheus.Dataquery:
    target = (
        prometheus.Dataquery().expr(of_chosen(query.expr)).legend_format(query.legend).ref_id(ref).datasource(SOURCE)
    )
    target.format(PromQueryFormat.TABLE if kind == "table" else PromQueryFormat.TIME_SERIES)
    return target.instant() if kind in INSTANT else target.range()


def _thresholds(panel: Panel) -> dashboard.ThresholdsConfig:
    steps = [model.Threshold(None, panel.base), *(model.Threshold(value, colour) for value, colour in panel.steps)]
    return dashboard.ThresholdsConfig().mode(model.ThresholdsMode.ABSOLUTE).steps(steps)


def _words(panel: Panel) -> list[model.ValueMapping]:
    unknown = model.DashboardSpecialValueMapOptions(
        model.SpecialValueMatch.NULL_AND_NAN, _result(Word(panel.unknown, GREY))
    )
    known = model.ValueMap({str(value): _result(word) for value, word in panel.words.items()})
    return [known, model.SpecialValueMap(unknown)] if panel.words else [model.SpecialValueMap(unknown)]


def _result(word: Word) -> model.ValueMappingResult:
    return model.ValueMappingResult(text=word.text, color=word.colour)


def _last() -> common.ReduceDataOptions:
    """The last value, NaN included, so that an unknown value is not replaced by an earlier one."""
    return common.ReduceDataOptions().calcs(["last"])


def _legend() -> common.VizLegendOptions:
    legend = common.VizLegendOptions().show_legend(True).placement(looks.LegendPlacement.BOTTOM)
    return legend.display_mode(looks.LegendDisplayMode.LIST)
