"""What the self-test calls broken, from records and findings as data."""

from typing import Any

import pytest

from service.rehearsal.selftest.records import Seen, disorder
from service.rehearsal.selftest.report import Assumption, Finding, Outcome, SelfTestReport


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
