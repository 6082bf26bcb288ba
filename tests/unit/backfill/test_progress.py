"""Progress of the backfill on a terminal and in a log: percent and remaining time are shown only when they are known."""

import pytest

from backfill.budget import CostBudget
from backfill.display import LINE_SECONDS, LogLines
from backfill.progress import Progress, Snapshot
from backfill.segments import BackfillRun, Outcomes, Segment, segments_of_run, total, unfinished
from backfill.throttle import ThrottleWaits
from service.dynamodb.prices import load_prices
from tests.fakes.clocks import VirtualClock


def begun(clock: VirtualClock, *, estimate: int | None, segments: int = 2, done: int = 0) -> Progress:
    run = BackfillRun("r", "m", 1, segments, 0.0, estimate)
    stands = {n: Segment("r", None, Outcomes(copied=done), False) for n in range(segments)}
    return Progress(
        clock, ThrottleWaits(clock, lambda reason, seconds: None), run, stands, CostBudget(load_prices(None))
    )


def acknowledge(progress: Progress, number: int, items: int, *, done: bool = False) -> Snapshot:
    progress.acknowledged(Outcomes(items))
    progress.saved(number, Segment("r", None, Outcomes(items), done))
    return progress.snapshot()


@pytest.mark.parametrize(
    "estimate, items, done, percent",
    [
        (1000, 500, False, 50.0),
        (1000, 1000, False, 99.9),
        (10, 1000, False, 99.9),
        (None, 1000, False, None),
        (0, 1000, False, None),
        (1000, 10, True, 100.0),
        (None, 10, True, 100.0),
    ],
)
def test_percent_rests_on_the_estimate_until_all_is_acknowledged(
    estimate: int | None, items: int, done: bool, percent: float | None
) -> None:
    progress = begun(VirtualClock(), estimate=estimate, segments=1)
    assert acknowledge(progress, 0, items, done=done).percent == percent


async def test_speed_and_time_left_are_those_of_the_last_half_minute() -> None:
    clock = VirtualClock()
    progress = begun(clock, estimate=100_000)
    for _ in range(40):
        await clock.advance(1)
        acknowledge(progress, 0, 1000)
    for _ in range(40):
        await clock.advance(1)
        acknowledge(progress, 0, 10)
    seen = progress.snapshot()
    assert seen.items_per_second == pytest.approx(10, rel=0.05)
    assert seen.eta_seconds == pytest.approx((100_000 - seen.outcomes.items) / 10, rel=0.05)


async def test_what_an_earlier_worker_did_does_not_count_as_speed() -> None:
    clock = VirtualClock()
    progress = begun(clock, estimate=100_000, done=20_000)
    await clock.advance(10)
    seen = acknowledge(progress, 0, 100)
    assert seen.items_per_second == pytest.approx(10)
    assert seen.outcomes.items == 40_100


async def test_no_time_left_is_told_when_it_cannot_be_known() -> None:
    clock = VirtualClock()
    progress = begun(clock, estimate=100)
    assert acknowledge(progress, 0, 50).eta_seconds is None, "nothing measured yet"
    await clock.advance(10)
    assert acknowledge(progress, 0, 25).eta_seconds is not None
    assert acknowledge(progress, 0, 100).eta_seconds is None, "more items than estimated"


async def test_when_nothing_moves_the_speed_falls_to_zero() -> None:
    clock = VirtualClock()
    progress = begun(clock, estimate=1000)
    acknowledge(progress, 0, 500)
    for _ in range(70):
        await clock.advance(1)
        seen = progress.snapshot()
    assert seen.items_per_second == 0
    assert seen.eta_seconds is None


def test_one_line_says_it_all() -> None:
    seen = Snapshot(Outcomes(10, 2, 1), 8, 3, 100, 13.0, 5.0, 17.4, ("partition_throttled",), 0.426, 5.0)
    assert seen.to_text() == (
        "backfill: 13 items (13.0 % of about 100, copied 10, present 2, quarantined 1), segments 3/8, 5 items/s, "
        "0.43 of at most 5.00 USD, about 17 s to go; waiting: partition_throttled"
    )


async def test_a_log_gets_a_line_now_and_then_and_one_at_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    lines: list[str] = []

    class Log:
        info = staticmethod(lines.append)

    monkeypatch.setattr("backfill.display.get_logger", Log)
    clock = VirtualClock()
    progress = begun(clock, estimate=100, segments=1)
    shown = LogLines(clock)
    for _ in range(int(LINE_SECONDS * 2)):
        shown.show(progress.snapshot())
        await clock.advance(1)
    assert len(lines) == 2
    shown.show(acknowledge(progress, 0, 7, done=True))
    assert len(lines) == 3
    assert "100.0 %" in lines[-1]


def test_records_of_another_run_say_nothing() -> None:
    run = BackfillRun("new", "m", 1, 3, 0.0)
    records = [(0, Segment("old", None, Outcomes(5), True)), (1, Segment("new", None, Outcomes(7), True))]
    segments = segments_of_run(run, records)
    assert unfinished(segments) == [0, 2]
    assert total(segments) == Outcomes(copied=7)


def test_a_segment_ends_with_the_page_that_has_no_next() -> None:
    key = {"pk": {"S": "a"}}
    segment = Segment("r").after(Outcomes(3, 2, 1), key)
    assert (segment.done, segment.last_key) == (False, key)
    ended = segment.after(Outcomes(1), None)
    assert (ended.done, ended.outcomes) == (True, Outcomes(4, 2, 1))
