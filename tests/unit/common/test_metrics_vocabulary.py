"""The labels' declared values are those that the program says: a value that is not declared would be lost in ``other``."""

import ast
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from typing import get_args

import pytest

from backfill.records import State
from backfill.segments import Outcomes
from backfill.throttle import Reason
from service.control.workers import LaneBeat, LaneName
from service.dynamodb.credential_errors import NOT_RENEWED
from service.dynamodb.error_answers import ITEM_OPERATIONS, STREAM_OPERATIONS
from service.dynamodb.metering import WRITES
from service.errors import THROTTLED
from service.sync.sinks.guarded import WriteOutcome
from service.telemetry import metrics
from service.telemetry.series import OTHER

ROOT = Path(metrics.__file__).parents[2]
NO_PART = ("demo", "rehearsal", "cli")
"""What does not go through the metrics of `sync` or `backfill`."""


def calls(*names: str) -> Iterator[ast.Call]:
    """Every call of a function or method of these names in the program."""
    for folder in ("service", "backfill"):
        for path in (ROOT / folder).rglob("*.py"):
            if not set(NO_PART) & set(path.relative_to(ROOT).parts):
                for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                    if isinstance(node, ast.Call) and _name(node.func) in names:
                        yield node


def _name(function: ast.expr) -> str:
    return getattr(function, "attr", getattr(function, "id", ""))


def first_words(*names: str) -> set[str]:
    """The first arguments that are given as they stand."""
    found = (call.args[0] for call in calls(*names) if call.args)
    return {one.value for one in found if isinstance(one, ast.Constant) and isinstance(one.value, str)}


def reasons() -> set[str]:
    """The reasons that passing trouble is raised with, or counted with."""
    given = (keyword for call in calls("Retryable", "__init__") for keyword in call.keywords if keyword.arg == "reason")
    told = {one.value.value for one in given if isinstance(one.value, ast.Constant)}
    return {str(reason) for reason in told} | first_words("retried", "_retried") | {NOT_RENEWED, *THROTTLED.values()}


def test_every_reason_for_a_retry_is_declared() -> None:
    found = reasons()
    assert {"throttled", "transaction_conflict", "item_contended", "iterator_expired"} <= found
    assert found <= set(metrics.RETRY_REASONS)
    assert set(metrics.RETRY_REASONS) - found == {OTHER}


def test_every_outcome_of_a_write_is_declared() -> None:
    told = {word for word in first_words("count", "_count") if word.isidentifier()}  # and not text.count("=")
    assert {"quarantined", "overflow"} <= told
    assert told <= {*metrics.WRITE_OUTCOMES, *metrics.TOMBSTONE_OUTCOMES}
    assert {one.value for one in WriteOutcome} <= set(metrics.WRITE_OUTCOMES)


def test_every_operation_is_declared() -> None:
    found = {name for name in first_words("call", "once") if name[0].isupper()}
    assert {"Scan", "Query", "GetItem", "GetRecords"} <= found
    assert found | ITEM_OPERATIONS | STREAM_OPERATIONS | WRITES <= set(metrics.OPERATIONS)


SAME: list[tuple[object, tuple[str, ...]]] = [
    (get_args(Reason), metrics.WAIT_REASONS),
    (tuple(one.name for one in fields(Outcomes)), metrics.COPY_OUTCOMES),
    (get_args(LaneName), metrics.DIRECTIONS),
    (("not started", *get_args(State)), metrics.BACKFILL_STATES),
    (get_args(LaneBeat.__annotations__["role"]), metrics.ROLES),
]


@pytest.mark.parametrize(("allowed", "declared"), SAME)
def test_what_a_type_allows_is_what_is_declared(allowed: object, declared: tuple[str, ...]) -> None:
    assert sorted(allowed) == sorted(declared)  # type: ignore[call-overload]  # a tuple of strings
