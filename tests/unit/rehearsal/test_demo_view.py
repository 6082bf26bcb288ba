"""What one sees of the demonstration: a lag that grows while sync is dead, and screens for a terminal and for a file."""

from io import StringIO

import pytest
from rich.console import Console
from rich.live import Live as RichLive

from service.cli.demo import LINE_SECONDS, LineScreen, LiveScreen
from service.control.workers import Beat, LaneBeat, Watched
from service.rehearsal.demo.live import Live, SideLive, lag_of


def watched(role: str, lag: float, unchanged: float) -> Watched:
    lane = LaneBeat(role=role, lag_seconds=lag)
    return Watched(Beat(1, 0.0, forward=lane, reverse=lane), alive=True, unchanged_seconds=unchanged)


@pytest.mark.parametrize(
    ("seen", "lag"),
    {
        "nobody has read": ([], None),
        "a standby does not read": ([watched("standby", 0.0, 0.1)], None),
        "the owner says": ([watched("owner", 0.4, 0.5)], 0.4),
        "the owner is silent": ([watched("owner", 0.4, 7.0)], 7.4),
        "a new owner says more than the dead one": ([watched("owner", 0.0, 9.0), watched("owner", 8.5, 0.2)], 8.5),
    }.values(),
)
def test_the_lag_is_the_owners_and_grows_while_it_is_silent(seen: list[Watched], lag: float | None) -> None:
    assert lag_of({str(number): one for number, one in enumerate(seen)}, "forward") == lag


def live(seconds: float = 12.0, lag: float = 0.0, sync: str = "process 7 carries") -> Live:
    sides = {"old": SideLive(40, 2.5, lag), "v2": SideLive(0, 0.0, None)}
    return Live(seconds, "forward", sides, 380, sync)


def test_a_lag_has_a_bar_as_long_as_it_is_high() -> None:
    bars = [live(lag=lag).to_text().split("\n")[-2].count("#") for lag in (0.0, 2.0, 6.0, 600.0)]
    assert bars == sorted(bars)
    assert (bars[0], len(set(bars))) == (0, 4)


def test_without_a_terminal_every_event_and_some_states_have_a_line_each(capsys: pytest.CaptureFixture[str]) -> None:
    screen = LineScreen()
    for seconds in (1.0, 2.0, 1.0 + LINE_SECONDS):
        screen.show(live(seconds))
    screen.event("   7 s  kill -9 of sync, process 7")
    screen.show(live(8.0, sync="process 7 was killed"))
    lines = capsys.readouterr().err.splitlines()
    assert [line[:10] for line in lines] == ["demo:    1", "demo:    6", "demo:    7", "demo:    8"]
    assert "phase forward; old 40 writes (2.5/s), lag to v2 0.0 s; v2 0 writes" in lines[0]


def test_on_a_terminal_events_stay_above_what_is_redrawn() -> None:
    shown = StringIO()
    with RichLive(console=Console(file=shown, force_terminal=True), auto_refresh=False) as view:
        screen = LiveScreen(view)
        screen.show(live())
        screen.event("[bold] is no markup here")
        screen.show(live(lag=3.0, sync="process 7 was killed (kill -9): nothing is carried"))
    _, below = shown.getvalue().split("[bold] is no markup here")
    assert "lag to v2   3.0 s ######" in below
    assert "\x1b[1;31mwas killed\x1b[0m" in below
