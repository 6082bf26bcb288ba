"""The steps of a phase move as a live checklist on a terminal: what is done, what is waited for, and how long it mostly takes."""

from collections.abc import Callable, Iterator

from service.cli.output import Redrawn
from service.core.phases.acting import Phase
from service.core.phases.moves import STEP_TEXTS, Step, expected_text, steps_from


class Checklist:
    """Implements ``MoveProgress``. ``horizon_seconds``: how long a writer horizon is; ``show``: takes the place of what it showed
    before."""

    def __init__(self, horizon_seconds: float, show: Callable[[str], None] | None = None) -> None:
        self._horizon = horizon_seconds
        self._show = show or Redrawn(errors=True).show
        self._done: dict[Step, float] = {}

    def begins(self, to: Phase, step: Step) -> None:
        """The step is being done."""
        self._show("\n".join(self._lines(to, step, under_way=True)))

    def waits(self, text: str) -> None:
        """Nothing: what a step waits for mostly is in its line."""

    def ends(self, to: Phase, step: Step, seconds: float) -> None:
        """The step was done within so many seconds."""
        self._done[step] = seconds
        self._show("\n".join(self._lines(to, step, under_way=False)))

    def _lines(self, to: Phase, step: Step, *, under_way: bool) -> Iterator[str]:
        for done, seconds in self._done.items():
            yield f"  ok  {done:12} {STEP_TEXTS[done]}: {seconds:.1f} s"
        left = steps_from(to, step)
        for following in left if under_way else left[1:]:
            mark = "->" if under_way and following == step else "  "
            yield f"  {mark}  {following:12} {STEP_TEXTS[following]}: {expected_text(following, self._horizon)}"
