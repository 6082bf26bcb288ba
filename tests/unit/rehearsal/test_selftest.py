"""What the self-test calls broken, from records and findings as data."""

from collections import Counter
from types import SimpleNamespace
from typing import Any

import pytest

from service.clock import SystemClock
from service.core.item.write import Put
from service.errors import Trimmed
from service.rehearsal.selftest.records import Seen, collected, disorder
from service.rehearsal.selftest.report import Assumption, Finding, Outcome, SelfTestReport
from service.rehearsal.selftest.site import KEY, numbered
from tests.fakes.memory import MemoryDynamoDB


def seen(shard: str, name: str, sequence: str, number: int) -> Seen:
    content: dict[str, Any] = {"NewImage": {"n": {"N": str(number)}}}
    return Seen(shard, name, sequence, {"dynamodb": content})


@pytest.mark.parametrize(
    ("why", "records", "wrong"),
    [
        ("in order", [("p", "a", "8", 0), ("p", "b", "9", 0), ("p", "a", "10", 1)], ""),
        ("a child read first", [("c", "a", "10", 1), ("p", "a", "9", 0)], ""),
        ("a child's number is lower", [("p", "a", "9", 0), ("c", "a", "8", 1)], "item a"),
        ("one shard out of order", [("p", "a", "9", 0), ("p", "b", "8", 0)], "shard p"),
    ],
)
def test_the_order_of_sequence_numbers(why: str, records: list[tuple[str, str, str, int]], wrong: str) -> None:
    found = disorder([seen(*record) for record in records])
    assert found.startswith(wrong), why
    assert bool(found) == bool(wrong), why


@pytest.mark.parametrize(
    ("outcomes", "ok", "verdict"),
    [
        (("held", "not seen"), True, "selftest: OK: 1 held, 1 not seen (AWS eu-west-1, tablesplit 1, 12 s)"),
        (("held", "broken"), False, "selftest: BROKEN: 1 held, 1 broken (AWS eu-west-1, tablesplit 1, 12 s)"),
        (("failed",), False, "selftest: BROKEN: 1 failed (AWS eu-west-1, tablesplit 1, 12 s)"),
    ],
)
def test_the_verdict(outcomes: tuple[Outcome, ...], ok: bool, verdict: str) -> None:
    assumptions = [Assumption("name", "It holds.", "a rule", Finding(outcome, "this")) for outcome in outcomes]
    report = SelfTestReport(assumptions, "AWS", "eu-west-1", "1", 12.0)
    lines = report.to_text().splitlines()
    assert (report.ok, lines[-1]) == (ok, verdict)
    assert lines[:3] == [f"{outcomes[0]:10}name  this", f"{'':10}It holds.", f"{'':10}rests on it: a rule"]


class OneStream:
    """A ``Site`` on an in-memory table, whose server calls reads trimmed for as long as the test says."""

    left = 1.0

    def __init__(self) -> None:
        self.app = SimpleNamespace(store=MemoryDynamoDB(), clock=SystemClock())
        self.app.store.create_table("t", (KEY,))
        self.refusals = Counter[str]()
        self.trimmed: list[bool] = []
        """Of the next reads."""
        self.app.store.before = self._before

    async def stream_arn(self, table: str) -> str:
        return self.app.store.stream(table).arn

    async def _before(self, operation: str, subject: object) -> None:
        if operation == "get_records" and self.trimmed and self.trimmed.pop(0):
            raise Trimmed("trimmed")


async def test_an_iterator_older_than_the_first_record_is_opened_again() -> None:
    """DynamoDB Local calls it trimmed (https://github.com/aws/aws-sdk-java/issues/2923)."""
    site: Any = OneStream()
    site.app.store.apply(Put("t", numbered("a", 0)))
    site.trimmed = [True, False]
    assert [seen.name for seen in await collected(site, "t", 1)] == ["a"]


async def test_records_that_are_gone_after_others_were_read_fail_the_question() -> None:
    site: Any = OneStream()
    site.app.store.apply(Put("t", numbered("a", 0)))
    site.trimmed = [False, True]
    with pytest.raises(Trimmed):
        await collected(site, "t", 2)
