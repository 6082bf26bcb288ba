"""Each error: the exit status of a command that it ends, how programs name it, and which ``except`` catches it."""

import pytest

from service.control.quarantine import NotInQuarantine
from service.core.phases.gate import Gate, GateClosed
from service.core.phases.left_behind import KeysLeftBehind, LeftBehind
from service.dynamodb.protocol import InsertRefused, InsertThrottled
from service.errors import (
    ConditionRefusedError,
    CredentialsExpired,
    Fatal,
    Fenced,
    Interrupted,
    IteratorExpired,
    Misconfigured,
    Paused,
    Poison,
    Refused,
    Retryable,
    Stopped,
    StreamGone,
    TableMissing,
    TablesplitError,
    Throttled,
    Trimmed,
    Unexpected,
    WrongMapping,
    WrongSettings,
)
from service.http_api.problems import _status_of
from service.migration.phase.hook import HookSilent
from service.tasks import gravest

CAUGHT_BY = (Retryable, Throttled, Poison, Stopped, Fatal, Misconfigured, Refused, Interrupted, Fenced)
TABLE: list[tuple[TablesplitError, int, str, int, set[type[TablesplitError]]]] = [
    (Retryable("x", reason="timeout"), 3, "retryable", 503, {Retryable}),
    (Throttled("x"), 3, "throttled", 503, {Retryable, Throttled}),
    (InsertThrottled("x", []), 3, "throttled", 503, {Retryable, Throttled}),
    (CredentialsExpired("x"), 3, "retryable", 503, {Retryable}),
    (IteratorExpired("x"), 3, "retryable", 503, {Retryable}),
    (Poison("x", reason="bad"), 3, "poison", 500, {Poison}),
    (InsertRefused([], {0: Poison("x", reason="bad")}), 3, "poison", 500, {Poison}),
    (Fatal("x"), 3, "fatal", 503, {Stopped, Fatal}),
    (TableMissing("x"), 3, "fatal", 503, {Stopped, Fatal}),
    (Trimmed("x"), 3, "trimmed", 503, {Stopped, Fatal}),
    (StreamGone("x"), 3, "stream_gone", 503, {Stopped, Fatal}),
    (Misconfigured("x"), 2, "misconfigured", 400, {Stopped, Misconfigured}),
    (Refused("x"), 1, "refused", 409, {Stopped, Refused}),
    (GateClosed(Gate("dual", ())), 1, "refused", 409, {Stopped, Refused}),
    (KeysLeftBehind(Gate("dual", ()), (), LeftBehind(), None), 1, "refused", 409, {Stopped, Refused}),
    (HookSilent("x"), 1, "refused", 409, {Stopped, Refused}),
    (Interrupted("x"), 3, "interrupted", 503, {Stopped, Interrupted}),
    (Paused("x"), 3, "paused", 503, {Stopped, Interrupted}),
    (WrongMapping("m", [(1, "x")], remedy=""), 2, "misconfigured", 400, {Stopped, Misconfigured}),
    (NotInQuarantine("x"), 2, "misconfigured", 400, {Stopped, Misconfigured}),
    (WrongSettings(["x", "y"], remedy=""), 2, "misconfigured", 400, {Stopped, Misconfigured}),
    (Unexpected("x"), 3, "unexpected", 500, {Stopped}),
    (Fenced("x"), 3, "fenced", 503, {Stopped, Fenced}),
]


def named(row: tuple[TablesplitError, object, object, object, object]) -> str:
    return type(row[0]).__name__


@pytest.mark.parametrize(("error", "status", "kind", "http", "caught_by"), TABLE, ids=map(named, TABLE))
def test_an_error_has_its_exit_status_its_kind_and_its_place_in_the_tree(
    error: TablesplitError, status: int, kind: str, http: int, caught_by: set[type[TablesplitError]]
) -> None:
    assert (error.exit_status, error.kind, _status_of(error)) == (status, kind, http)
    assert {base for base in CAUGHT_BY if isinstance(error, base)} == caught_by


def test_every_error_of_the_service_is_in_the_table() -> None:
    found, waiting = set(), [TablesplitError]
    while waiting:
        bases = waiting.pop().__subclasses__()
        found |= {base for base in bases if base.__module__.startswith(("service.", "backfill."))}
        waiting += bases
    assert found - {Stopped} == {type(error) for error, *_ in TABLE}


def test_a_refused_condition_is_never_shown_to_an_operator() -> None:
    assert not isinstance(ConditionRefusedError(), TablesplitError)


@pytest.mark.parametrize("row", TABLE, ids=map(named, TABLE))
def test_of_two_failures_of_a_group_the_one_that_stops_is_raised(
    row: tuple[TablesplitError, object, object, object, set[type]],
) -> None:
    error, *_, caught_by = row
    passing = Retryable("y", reason="timeout")
    assert gravest(ExceptionGroup("", [passing, error])) is (error if Stopped in caught_by else passing)
