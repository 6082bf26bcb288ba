"""The values that describe a dashboard; ``drawing`` makes Grafana's JSON of them."""

from dataclasses import dataclass, field
from typing import Literal

Kind = Literal["stat", "graph", "timeline", "bars", "table"]
Colour = Literal["green", "yellow", "orange", "red", "blue", "transparent", "#6e7077"]
Steps = tuple[tuple[float, Colour], ...]

GREY: Colour = "#6e7077"
"""The colour of unknown values."""


@dataclass(frozen=True, slots=True)
class Query:
    """A PromQL expression with the names of its series."""

    expr: str
    legend: str
    """A template, with labels in double braces."""


@dataclass(frozen=True, slots=True)
class Word:
    """A text that is shown instead of a number."""

    text: str
    colour: Colour


@dataclass(frozen=True, slots=True)
class Panel:
    """One panel."""

    kind: Kind
    title: str
    description: str
    unit: str
    """Grafana's name of the unit."""
    step: str
    """The anchor of the runbook step that the panel links to."""
    queries: tuple[Query, ...]
    width: int = 12
    """In columns, of 24."""
    base: Colour = "green"
    """The colour below the first of ``steps``."""
    steps: Steps = ()
    """From each value on, the colour beside it holds."""
    words: dict[int, Word] = field(default_factory=dict)
    """By value."""
    unknown: str = "not known"
    """Shown for NaN."""
    names: bool = False
    """Show the name of the series, not its value."""
    rows: bool = False
    """One value below the other: their names are too long to stand side by side."""
    reach: float | None = None
    """How far the axis goes at least: of values that are all 0, Grafana's own goes to 100, which is 10,000 %."""
    busy: bool = False
    """Most of its series are 0 at most times: the legend names only the others."""


@dataclass(frozen=True, slots=True)
class Section:
    """A row of the dashboard: a title, and below it panels of the same height, line by line."""

    title: str
    height: int
    panels: tuple[Panel, ...]


@dataclass(frozen=True, slots=True)
class Board:
    """A dashboard."""

    uid: str
    """Part of its address in Grafana."""
    title: str
    description: str
    sections: tuple[Section, ...]
