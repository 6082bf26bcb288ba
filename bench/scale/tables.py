"""The tables and curves that the experiments come to: plain values that go through JSON unchanged."""

from collections.abc import Sequence
from dataclasses import dataclass

Curve = list[tuple[float, float]]


@dataclass(frozen=True, slots=True)
class Table:
    """A table of text."""

    head: list[str]
    rows: list[list[str]]

    def markdown(self) -> list[str]:
        """Its lines."""
        return [_row(self.head), _row(["---"] * len(self.head)), *map(_row, self.rows)]


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def span(seconds: float | None) -> str:
    """A time for readers: three figures at most."""
    if seconds is None:
        return "never"
    for unit, size in (("d", 86_400.0), ("h", 3600.0), ("min", 60.0)):
        if seconds >= 2 * size:
            return f"{seconds / size:.3g} {unit}"
    return f"{seconds:.0f} s"


def percent(share: float) -> str:
    """A share for readers."""
    return f"{share:.0%}" if share >= 0.095 or share == 0 else f"{share:.1%}"


def thinned(curve: Sequence[tuple[float, float]], most: int = 200) -> Curve:
    """So many points of a curve, its last one and its highest among them, rounded."""
    step = max(1, len(curve) // most)
    kept = {*range(0, len(curve), step), len(curve) - 1, max(range(len(curve)), key=lambda index: curve[index][1])}
    return [(round(curve[index][0], 1), round(curve[index][1], 1)) for index in sorted(kept)]
