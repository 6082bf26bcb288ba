"""Draws a line chart as SVG: two small pictures do not need a plotting library with its dependencies."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from html import escape
from math import log10

WIDTH, HEIGHT = 860, 420
LEFT, RIGHT, TOP, BOTTOM = 80, 250, 50, 60
COLOURS = ("#0b6fb8", "#c2410c", "#15803d", "#7c3aed", "#a16207", "#be185d")
"""Dark enough on white for small text."""
LIMIT = "#3f3f46"


@dataclass(frozen=True, slots=True)
class Axis:
    """One axis of the chart."""

    title: str
    ticks: Sequence[tuple[float, str]]
    """(value, label); the first and the last are the ends of the axis."""
    log: bool = False
    """A logarithmic scale."""

    def share(self, value: float) -> float:
        """Where ``value`` is on the axis, from 0 to 1. Values beyond an end are drawn at that end."""
        low, high = self._scaled(self.ticks[0][0]), self._scaled(self.ticks[-1][0])
        return min(1.0, max(0.0, (self._scaled(value) - low) / (high - low)))

    def _scaled(self, value: float) -> float:
        return log10(max(value, 1e-9)) if self.log else value


@dataclass(frozen=True, slots=True)
class Line:
    """A curve and its name."""

    name: str
    points: Sequence[tuple[float, float]]
    dashed: bool = False
    """For a limit."""


def chart(title: str, across: Axis, up: Axis, lines: Sequence[Line]) -> str:
    """The SVG text. The same values give the same text."""
    place = _placed(across, up)
    parts = [_text(LEFT, 26, title, size=15, weight="bold"), *_grid(across, up)]
    for index, line in enumerate(lines):
        shown = Line(line.name, [point for point in line.points if point[0] <= across.ticks[-1][0]], line.dashed)
        colour = LIMIT if line.dashed else COLOURS[index % len(COLOURS)]
        parts += _line(shown, colour, place, TOP + 12 + 26 * index)
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" height="{HEIGHT}" role="img"'
    ground = f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#ffffff"/>'
    return "\n".join([f'{head} aria-label="{escape(title)}" font-family="sans-serif">', ground, *parts, "</svg>", ""])


def _placed(across: Axis, up: Axis) -> Callable[[float, float], tuple[float, float]]:
    def place(x: float, y: float) -> tuple[float, float]:
        return LEFT + across.share(x) * (WIDTH - LEFT - RIGHT), HEIGHT - BOTTOM - up.share(y) * (HEIGHT - TOP - BOTTOM)

    return place


def _grid(across: Axis, up: Axis) -> list[str]:
    place = _placed(across, up)
    parts = []
    for value, label in across.ticks:
        x, y = place(value, up.ticks[0][0])
        parts += [_rule(x, TOP, x, y), _text(x, y + 18, label, anchor="middle")]
    for value, label in up.ticks:
        x, y = place(across.ticks[0][0], value)
        parts += [_rule(x, y, WIDTH - RIGHT, y), _text(x - 8, y + 4, label, anchor="end")]
    middle = (LEFT + WIDTH - RIGHT) / 2
    return [*parts, _text(middle, HEIGHT - 16, across.title, anchor="middle"), _text(LEFT - 64, TOP - 12, up.title)]


def _line(line: Line, colour: str, place: Callable[[float, float], tuple[float, float]], y: float) -> list[str]:
    points = " ".join(f"{x:.1f},{y:.1f}" for x, y in (place(*point) for point in line.points))
    dash = ' stroke-dasharray="6 4"' if line.dashed else ""
    style = f'fill="none" stroke="{colour}" stroke-width="2"{dash}'
    x = WIDTH - RIGHT + 16
    return [
        f'<polyline points="{points}" {style}/>',
        f'<path d="M{x} {y}h22" {style}/>',
        _text(x + 30, y + 4, line.name),
    ]


def _rule(x1: float, y1: float, x2: float, y2: float) -> str:
    return f'<path d="M{x1:.1f} {y1:.1f}L{x2:.1f} {y2:.1f}" stroke="#d4d4d8"/>'


def _text(x: float, y: float, words: str, *, size: int = 12, anchor: str = "start", weight: str = "normal") -> str:
    style = f'font-size="{size}" text-anchor="{anchor}" font-weight="{weight}" fill="#27272a"'
    return f'<text x="{x:.1f}" y="{y:.1f}" {style}>{escape(words)}</text>'
