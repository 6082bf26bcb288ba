"""Which pages count as evidence for the end of an open shard, one row a page."""

import pytest

from service.dynamodb.protocol import RecordsPage
from service.streams.tip import Tip, is_short

NOW = 1_700_000_000.0


def page(records: int, *, size: int = 100, age: float = 0.0) -> RecordsPage:
    content = {"SizeBytes": size, "ApproximateCreationDateTime": NOW - age}
    return RecordsPage([{"dynamodb": content}] * records, "next")


@pytest.mark.parametrize(
    ("why", "given", "short"),
    [
        ("empty", page(0), True),
        ("a few new records", page(499), True),
        ("many records", page(500), False),
        ("few, but large: GetRecords stops at 1 MB", page(10, size=50_000), False),
        ("few, but old: thin traffic of yesterday", page(1, age=121), False),
        ("DynamoDB Local cuts the age to the minute", page(1, age=59), True),
    ],
)
def test_short_pages(why: str, given: RecordsPage, short: bool) -> None:
    assert is_short(given, NOW) is short, why


def test_the_tip_is_reached_after_four_short_pages_in_a_row_and_left_with_a_long_one() -> None:
    tip = Tip()
    seen = []
    for records in (0, 1, 0, 500, 0, 0, 3, 0, 0, 500):
        tip.note(page(records), NOW)
        seen.append(tip.reached)
    assert seen == [False] * 7 + [True, True, False]
