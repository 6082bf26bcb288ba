"""The conditions under which a bare tombstone may be purged."""

from dataclasses import replace

import pytest

from service.core.rules.purge import PurgeFacts, may_purge

SAFE = PurgeFacts(
    tombstone_age=900.0,
    backfill_finished_age=20.0,
    read_past=True,
    ownership_age=20.0,
    oldest_repair_age=None,
)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({}, "none"),
        ({"tombstone_age": 899.0}, "young"),
        ({"backfill_finished_age": None}, "backfill"),
        ({"backfill_finished_age": 19.0}, "backfill"),
        ({"read_past": False}, "checkpoint"),
        ({"ownership_age": 19.0}, "owner"),
        ({"oldest_repair_age": 901.0}, "repair"),
        ({"oldest_repair_age": 900.0}, "repair"),
        ({"oldest_repair_age": 899.0}, "none"),
    ],
)
def test_each_condition_alone_keeps_the_tombstone(change: dict[str, float | None], reason: str) -> None:
    verdict = may_purge(replace(SAFE, **change), horizon=20.0, grace=900.0)
    assert (verdict.allowed, verdict.reason) == (reason == "none", reason)
