"""The status as text for people, and as a document for programs."""

from dataclasses import replace

import pytest

from service.core.phases.facts import BackfillFacts, LaneFacts, SideFacts
from service.core.phases.gate import Gate
from service.migration.status.status import Status
from tests.builders.statuses import KNOWN, known

LINES: list[tuple[Status, str]] = [
    (KNOWN, "backfill     running: 7 items, segments 2/5, 4 items/s, about 12.50 USD, about 60 s to go"),
    (
        known(forward=LaneFacts("a", False, 40.0, shards=4, catch_up_seconds=90.0)),
        "forward      not caught up for about 90 s more, lag 40 s, 4 shards; no changes yet",
    ),
    (
        known(forward=LaneFacts("a", True, 0.0, shards=4, outcomes={"applied": 2}, catch_up_seconds=0.0)),
        "forward      caught up, lag 0 s, 4 shards; applied 2",
    ),
    (KNOWN, "reverse      stopped, and no other worker has taken over: see why below"),
    (
        known(reverse=LaneFacts()),
        "reverse      no worker owns this lane: start `tablesplit sync`, or wait until a standby takes it over",
    ),
    (known(quarantine=0), "quarantine   0 keys"),
    (known(quarantine=1), "quarantine   1 key: see `tablesplit quarantine list`"),
    (known(conflicts=3), "conflicts    3 open: see `tablesplit conflicts list`"),
    (
        known(forward=LaneFacts("a", True, 0.0, shards=1)),
        "forward      caught up, lag 0 s, 1 shard; no changes yet",
    ),
    (
        known(backfill=BackfillFacts("finished", 381, 4, 4)),
        "backfill     finished: 381 items, segments 4/4, about 0.00 USD",
    ),
    (KNOWN, "gate         to dual: closed by quiet: see `tablesplit cutover --dry-run`"),
    (
        replace(known(phase="dual"), gate=Gate("reverse", ())),
        "gate         to reverse: open: next is `tablesplit cutover --finish`",
    ),
    (KNOWN, "rogue        8 on v2, which should be quiet, since the phase began"),
]


@pytest.mark.parametrize(("status", "line"), LINES)
def test_a_subject_has_a_line(status: Status, line: str) -> None:
    assert line in status.to_text().splitlines()


def test_no_rogue_write_is_no_line() -> None:
    assert "rogue" not in known(sides={"old": SideFacts(), "v2": SideFacts()}).to_text()


def test_the_document_has_what_the_gauges_have() -> None:
    document = KNOWN.to_json()
    assert document["rogue_writes"] == {"v2": 8}
    assert document["backfill"]["cost_usd"] == 12.5
    assert document["forward"]["catch_up_seconds"] == 9.0
    assert (document["forward"]["shards_waiting"], document["forward"]["shards_finished"]) == (1, 6)
    assert document["reverse"]["stopped"] is True
    assert document["validation"]["age_seconds"] == 120.0
    assert [worker["heard"] for worker in document["workers"]] == [True, True, False]
