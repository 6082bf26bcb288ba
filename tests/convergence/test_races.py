"""Every race of one item, named by its interleaving, on the real rules and the in-memory table."""

from itertools import combinations, permutations

import pytest

from service.core.item.write import Put
from service.core.rules.purge import PurgeFacts, may_purge
from tests.convergence.invariants import Violated
from tests.convergence.race import Race

Write = tuple[int, int] | None
"""Month and content of a put; None: a delete."""

HORIZON, GRACE = 21.0, 900.0
SETTLED = PurgeFacts(
    tombstone_age=1000, backfill_finished_age=1000, read_past=True, ownership_age=1000, oldest_repair_age=None
)

UPDATE: Write = (0, 1)
MOVE: Write = (1, 0)
DELETE: Write = None
CHANGES: dict[str, tuple[Write, ...]] = {
    "update": (UPDATE,),
    "move": (MOVE,),
    "delete": (DELETE,),
    "delete and re-create": (DELETE, UPDATE),
    "delete and re-create elsewhere": (DELETE, MOVE),
    "move there and back": (MOVE, UPDATE),
    "move twice": (MOVE, (2, 0)),
    "move and delete": (MOVE, DELETE),
}
"""What the application does to an item that it has put, write by write."""


def orders() -> list[tuple[str, ...]]:
    """Every order of scan, change, apply and copy in which each comes after what it needs."""
    every = permutations(("scan", "change", "apply", "copy"))
    return [o for o in every if o.index("scan") < o.index("copy") and o.index("change") < o.index("apply")]


def merges(first: list[Put], second: list[Put]) -> list[list[Put]]:
    """Every interleaving of two writers, each in its own order."""
    places = range(len(first) + len(second))
    merged = []
    for chosen in combinations(places, len(first)):
        one, two = iter(first), iter(second)
        merged.append([next(one) if place in chosen else next(two) for place in places])
    return merged


@pytest.mark.parametrize("batch", ["one by one", "together"])
@pytest.mark.parametrize("order", orders(), ids="-".join)
@pytest.mark.parametrize("change", CHANGES)
def test_copy_against_change(change: str, order: tuple[str, ...], batch: str) -> None:
    race = Race()
    race.put()
    copies: list[Put] = []
    for step in order:
        if step == "scan":
            copies = race.scan()
        elif step == "change":
            race.write(*CHANGES[change])
        elif step == "apply":
            changes = race.changes()
            race.send(race.together(changes) if batch == "together" else race.one_by_one(changes))
        else:
            race.send(copies)
    race.check()


@pytest.mark.parametrize("change", CHANGES)
def test_copy_arrives_between_any_two_writes_of_the_changes(change: str) -> None:
    lengths = _prepared(change)
    for after in range(lengths + 1):
        race = Race()
        race.put()
        copies = race.scan()
        race.write(*CHANGES[change])
        writes = race.one_by_one(race.changes())
        race.send([*writes[:after], *copies, *writes[after:]])
        race.check()


@pytest.mark.parametrize("change", CHANGES)
def test_owner_crashes_after_any_write_and_replays_from_any_checkpoint(change: str) -> None:
    for done in range(1 + len(CHANGES[change]) + 1):
        for checkpoint in range(done + 1):
            for sent in range(3):  # of the writes of the change in hand
                race = Race()
                race.put()
                race.write(*CHANGES[change])
                changes = race.changes()
                race.send(race.one_by_one(changes[:done]))
                race.send(race.one_by_one(changes[done : done + 1])[:sent])
                race.send(race.one_by_one(changes[checkpoint:]))
                race.check()


@pytest.mark.parametrize("change", CHANGES)
def test_two_owners_of_one_shard_in_every_interleaving(change: str) -> None:
    probe = Race()
    probe.put()
    probe.write(*CHANGES[change])
    older, newer = probe.one_by_one(probe.changes()), probe.together(probe.changes())
    for writes in merges(older, newer):
        race = Race()
        race.put()
        race.write(*CHANGES[change])
        race.send(writes)
        race.check()


def test_superseded_owner_writes_the_item_again_after_its_removal() -> None:
    """model mutant Forward-no-guard."""
    race = _removed()
    race.send(race.one_by_one(race.changes()[:1]))
    race.check()


def test_change_with_the_longer_sequence_number_is_newer() -> None:
    """model mutant Forward-unpadded: 999...9 and then 1000...0."""
    race = Race()
    for content in (0, 1, 2):
        race.put(content=content)
    first, second, third = race.changes()
    assert len(first.sequence) == len(second.sequence) == len(third.sequence) - 1
    race.send(race.one_by_one([third, first, second]))
    race.check()


def test_scan_sees_what_was_done_before_it_and_so_the_first_changes_need_no_replay() -> None:
    race = Race()
    race.write((0, 0), (0, 1))
    copies = race.scan()
    race.put(month=1)
    after = race.changes()[2:]
    race.send([*race.one_by_one(after), *copies])
    race.check()


def test_earlier_change_applied_and_later_one_left_out_would_leave_the_earlier_one() -> None:
    race = Race()
    race.write((0, 0), (0, 1))
    copies = race.scan()
    race.send([*race.one_by_one(race.changes()[:1]), *copies])
    with pytest.raises(Violated, match="differs"):
        race.check()


def test_change_after_the_scan_left_out_would_be_lost() -> None:
    race = Race()
    race.put()
    copies = race.scan()
    race.put(content=1)
    race.send(copies)
    with pytest.raises(Violated, match="differs"):
        race.check()


def test_copy_arrives_after_the_removal() -> None:
    """model mutants Forward-no-tombstone and Forward-backfill-overwrites."""
    race = Race()
    race.put()
    copies = race.scan()
    race.delete()
    race.send(race.one_by_one(race.changes()))
    race.send(copies)
    race.check()


def test_batch_clears_every_key_that_the_item_passed_through() -> None:
    """model mutant Forward-coalesce-forgets-keys."""
    race = Race()
    race.put()
    race.send(race.one_by_one(race.changes()))
    race.put(month=1)
    race.put(month=2)
    race.send(race.together(race.changes()[1:]))
    race.check()


def test_move_is_completed_after_a_crash_between_its_two_writes() -> None:
    """model mutant Forward-checkpoint-before-effect: only what was checkpointed is not replayed."""
    race = Race()
    race.put()
    race.send(race.one_by_one(race.changes()))
    race.put(month=1)
    put, clear = race.one_by_one(race.changes()[1:])
    race.send([put])
    with pytest.raises(Violated, match="extra"):
        race.check()
    race.send([put, clear])
    race.check()


def test_item_never_lacks_both_keys_while_it_moves() -> None:
    race = Race()
    race.put()
    race.send(race.one_by_one(race.changes()))
    race.put(month=1)
    for write in race.one_by_one(race.changes()[1:]):
        assert any(item is not None and "id" in item for item in (race.v2(0), race.v2(1)))
        race.send([write])
    race.check()


def test_item_created_again_meets_the_purge_of_its_tombstone() -> None:
    race = _removed()
    purge = race.purge()
    race.put(content=1)
    race.send(race.one_by_one(race.changes()[2:]))
    race.send([purge])
    race.check()


def test_item_created_and_deleted_again_meets_the_purge_of_its_first_tombstone() -> None:
    race = _removed()
    purge = race.purge()
    race.put(content=1)
    race.delete()
    race.send(race.one_by_one(race.changes()[2:]))
    race.send([purge])
    assert race.v2() is not None, "the purge took a tombstone that is newer than the one it was decided for"


def test_item_created_after_the_purge_lives() -> None:
    race = _removed()
    race.send([race.purge()])
    race.put(content=1)
    race.send(race.one_by_one(race.changes()[2:]))
    race.check()


def test_purge_waits_for_a_superseded_backfill_worker() -> None:
    """model mutant Forward-purge-during-backfill: the worker's copy would come back for good."""
    race = Race()
    race.put()
    copies = race.scan()
    race.delete()
    race.send(race.one_by_one(race.changes()))
    assert not _may_purge(backfill_finished_age=None)
    assert not _may_purge(backfill_finished_age=HORIZON - 1)
    race.send([race.purge(), *copies])
    with pytest.raises(Violated):
        race.check()


def test_purge_waits_for_a_superseded_owner() -> None:
    """model mutant Forward-purge-with-zombie: its older write would bring the item back."""
    race = _removed()
    assert not _may_purge(ownership_age=HORIZON - 1)
    race.send([race.purge(), *race.one_by_one(race.changes()[:1])])
    with pytest.raises(Violated, match="I3"):
        race.check()


def test_purge_waits_for_the_checkpoint() -> None:
    """model mutant Forward-purge-before-checkpoint: a replay would bring the item back for a while."""
    race = _removed()
    assert not _may_purge(read_past=False)
    race.send([race.purge(), *race.one_by_one(race.changes())])
    with pytest.raises(Violated, match="I3"):
        race.check()


def test_purge_waits_for_a_repair_begun_before_the_tombstone() -> None:
    """model mutant Forward-purge-during-repair: the repair found the key free, and would find it free again."""
    race = Race()
    race.put()
    repair = race.repair(v2=race.v2(), old=race.old_now())
    race.delete()
    race.send(race.one_by_one(race.changes()))
    assert not _may_purge(oldest_repair_age=1001)
    race.send([race.purge(), repair])
    with pytest.raises(Violated, match="I3"):
        race.check()


def test_repair_meets_the_tombstone_of_an_item_that_was_deleted_meanwhile() -> None:
    race = Race()
    race.put()
    repair = race.repair(v2=race.v2(), old=race.old_now())
    race.delete()
    race.send([*race.one_by_one(race.changes()), repair])
    race.check()


def test_repair_that_reads_v2_first_never_undoes_a_change() -> None:
    """model mutant Forward-repair-reads-old-first."""
    race = Race()
    race.put()
    race.send(race.one_by_one(race.changes()))
    v2 = race.v2()
    race.put(content=1)
    old = race.old_now()
    race.send([*race.one_by_one(race.changes()), race.repair(v2=v2, old=old)])
    race.check()


def test_repair_that_reads_old_first_would_undo_a_change() -> None:
    race = Race()
    race.put()
    race.send(race.one_by_one(race.changes()))
    old = race.old_now()
    race.put(content=1)
    race.send(race.one_by_one(race.changes()))
    race.send([race.repair(v2=race.v2(), old=old)])
    with pytest.raises(Violated, match="differs"):
        race.check()


def test_repaired_item_yields_to_the_change_that_comes_after() -> None:
    race = Race()
    race.put()
    race.send([race.repair(v2=race.v2(), old=race.old_now())])
    race.put(month=1)
    race.send(race.one_by_one(race.changes()))
    race.check()


def _removed() -> Race:
    """Written, applied, deleted, applied: a tombstone is left."""
    race = Race()
    race.put()
    race.send(race.one_by_one(race.changes()))
    race.delete()
    race.send(race.one_by_one(race.changes()[1:]))
    return race


def _prepared(change: str) -> int:
    """How many writes the first put and ``change`` become."""
    race = Race()
    race.put()
    race.write(*CHANGES[change])
    return len(race.one_by_one(race.changes()))


def _may_purge(**facts: float | bool | None) -> bool:
    """Whether a tombstone goes when everything is settled but ``facts``."""
    assert may_purge(SETTLED, horizon=HORIZON, grace=GRACE).allowed
    named = {name: getattr(SETTLED, name) for name in PurgeFacts.__dataclass_fields__}
    return may_purge(PurgeFacts(**{**named, **facts}), horizon=HORIZON, grace=GRACE).allowed
