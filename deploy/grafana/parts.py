"""What dashboards are made of, as plain values; ``drawing`` makes Grafana's panels of them."""

from dataclasses import dataclass, field
from typing import Literal

Kind = Literal["stat", "graph", "timeline", "bars", "table"]
Colour = Literal["green", "yellow", "orange", "red", "blue", "transparent", "#6e7077"]
Steps = tuple[tuple[float, Colour], ...]

GREY: Colour = "#6e7077"
"""Of what is not known."""


@dataclass(frozen=True, slots=True)
class Query:
    """A PromQL expression, and what its series are called: the labels in double braces."""

    expr: str
    legend: str


@dataclass(frozen=True, slots=True)
class Word:
    """What is shown instead of a number."""

    text: str
    colour: Colour


@dataclass(frozen=True, slots=True)
class Panel:
    """One panel.

    unit: Grafana's name of it. step: the anchor of the runbook's step it links to. width: of 24 columns.
    base: colour below the first of ``steps``, each of which says from which value on another colour holds.
    words: by value; unknown: for NaN. names: show what the series is called, not its value.
    """

    kind: Kind
    title: str
    description: str
    unit: str
    step: str
    queries: tuple[Query, ...]
    width: int = 12
    base: Colour = "green"
    steps: Steps = ()
    words: dict[int, Word] = field(default_factory=dict)
    unknown: str = "not known"
    names: bool = False


@dataclass(frozen=True, slots=True)
class Section:
    """A row of the dashboard: its title, and below it panels of one height, line by line."""

    title: str
    height: int
    panels: tuple[Panel, ...]


@dataclass(frozen=True, slots=True)
class Board:
    """A dashboard. uid: its address in Grafana."""

    uid: str
    title: str
    description: str
    sections: tuple[Section, ...]
