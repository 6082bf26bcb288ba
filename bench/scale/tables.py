"""The tables and curves of the experiments: plain values that JSON keeps unchanged."""

from collections.abc import Sequence
from dataclasses import dataclass

Curve = list[tuple[float, float]]


@dataclass(frozen=True, slots=True)
class Table:
    """A table of text."""

    head: list[str]
    rows: list[list[str]]

    def markdown(self) -> list[str]:
        """Its lines in Markdown."""
        return [_row(self.head), _row(["---"] * len(self.head)), *map(_row, self.rows)]


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def span(seconds: float | None) -> str:
    """A time as text, with at most three digits."""
    if seconds is None:
        return "never"
    for unit, size in (("d", 86_400.0), ("h", 3600.0), ("min", 60.0)):
        if seconds >= 2 * size:
            return f"{seconds / size:.3g} {unit}"
    return f"{seconds:.0f} s"


def percent(share: float) -> str:
    """A fraction as text."""
    return f"{share:.0%}" if share >= 0.095 or share == 0 else f"{share:.1%}"


def thinned(curve: Sequence[tuple[float, float]], most: int = 200) -> Curve:
    """About ``most`` points of a curve, rounded; its last point and its highest are among them."""
    step = max(1, len(curve) // most)
    kept = {*range(0, len(curve), step), len(curve) - 1, max(range(len(curve)), key=lambda index: curve[index][1])}
    return [(round(curve[index][0], 1), round(curve[index][1], 1)) for index in sorted(kept)]
