"""When shards that other workers read count as read to their end, and what would be taken for it too early."""

from service.streams.kcl.census import Evidence
from service.streams.kcl.reports import ShardReport, ShardView


def report(number: int, pages: int, tip_page: int) -> dict[str, ShardReport]:
    return {"w": ShardReport(number, 0.0, {"s": ShardView(pages, tip_page, 0.0, 0.0, None)})}


def noted(evidence: Evidence, ticket: int, reports: dict[str, ShardReport]) -> list[tuple[str, int]]:
    return list(evidence.note(ticket, reports))


def test_the_end_counts_once_seen_at_a_page_that_was_surely_read_since() -> None:
    evidence = Evidence()
    assert noted(evidence, 1, report(10, 100, 99)) == []
    assert noted(evidence, 2, report(11, 102, 101)) == []
    assert noted(evidence, 3, report(12, 104, 103)) == []  # from here on: pages 105 and 106 may have been read before
    assert noted(evidence, 4, report(13, 106, 106)) == []
    assert noted(evidence, 5, report(14, 107, 107)) == [("s", 1)]


def test_a_report_that_was_measured_before_the_look_is_no_beginning() -> None:
    # A simpler rule counts from the report in view: its content may be older than the look, by any number of pages.
    evidence = Evidence()
    noted(evidence, 1, report(10, 100, 99))
    assert noted(evidence, 2, report(11, 150, 149)) == []


def test_the_newest_of_several_looks_that_are_over_counts() -> None:
    evidence = Evidence()
    for number in range(1, 5):
        noted(evidence, number, report(10 + number, 100, 0))
    assert noted(evidence, 5, report(15, 110, 110)) == [("s", 2)]


def test_a_shard_claimed_anew_begins_anew() -> None:
    evidence = Evidence()
    for number in (1, 2, 3):
        noted(evidence, number, report(10 + number, 100, 99))
    assert noted(evidence, 4, report(14, 1, 1)) == []
    assert noted(evidence, 5, report(15, 200, 200)) == []  # its pages were counted from the start again


def test_a_worker_that_has_begun_anew_begins_anew() -> None:
    evidence = Evidence()
    for number in (1, 2, 3):
        noted(evidence, number, report(10 + number, 100, 99))
    assert noted(evidence, 4, report(1, 150, 150)) == []


def test_a_shard_that_nobody_holds_any_more_is_no_evidence() -> None:
    evidence = Evidence()
    noted(evidence, 1, report(10, 100, 99))
    assert noted(evidence, 2, {}) == []
    assert noted(evidence, 3, report(30, 300, 300)) == []
