"""Resolving conflicts: the state of both sides once the sync has carried each choice, and the races."""

import json
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from service.control.conflicts import Kept
from service.control.state import Move
from service.control.stores import Stores
from service.core.item.stamp import decode_stamp
from service.core.item.wire import Item
from service.core.item.write import Put, Update
from service.core.rules.guarded import REPAIR_VERSION
from service.errors import Misconfigured, Refused
from service.migration.settlement.resolution import ConflictResolver
from tests.builders.small_crm import MAPPING, by_reverse, lead, lead_key, v2_of
from tests.worlds.both_ways_world import BothWays
from tests.worlds.conflict_world import CHANGED, MERGED, OLD_LOST, V2_WINS, AuditNotes, make_conflict, state_in_dual

JULY = "2024-07-01T00:00:00Z"


def resolving(world: BothWays, *, audit: AuditNotes | None = None, **parts: Any) -> ConflictResolver:
    stores = Stores(world.db, world.control, MAPPING, world.clock)
    return ConflictResolver(stores, state_in_dual(**parts), "ann", audit if audit is not None else AuditNotes())


def delete_on_v2(world: BothWays) -> None:
    world.remove("leads", lead_key("a"))


def two_live(world: BothWays) -> None:
    """The application has put the lead at a second key and not yet deleted the first."""
    world.edit("leads", lead_key("a"), **V2_WINS)
    second = {**lead("a", created=JULY, company={"S": "second"})}
    world.edit("leads", lead_key("a", "2024-07"), **{k: v for k, v in v2_of(second).items() if k != MAPPING.stamp})


MOVED = lead("a", created=JULY, **OLD_LOST)
LATE_MAY = "2024-05-30T00:00:00Z"


def date_on_v2(world: BothWays) -> None:
    """The application writes the field that decides the key too, and the key stays."""
    world.edit("leads", lead_key("a"), created_at={"S": LATE_MAY}, **V2_WINS)


@pytest.mark.parametrize(
    ("new", "v2", "kept", "left"),
    [
        pytest.param(CHANGED, None, "v2", lead("a", **V2_WINS), id="v2 stays"),
        pytest.param(CHANGED, None, "old", CHANGED, id="the old side's change"),
        pytest.param(CHANGED, None, "merge", MERGED, id="a merge"),
        pytest.param(MOVED, None, "old", MOVED, id="a change that also moves the key"),
        pytest.param(MOVED, None, "v2", lead("a", created=JULY, **V2_WINS), id="a move stays that v2 has not written"),
        pytest.param(MOVED, date_on_v2, "old", MOVED, id="a change that would move the key"),
        pytest.param(MOVED, date_on_v2, "v2", lead("a", created=LATE_MAY, **V2_WINS), id="a move that is given up"),
        pytest.param(None, None, "old", None, id="the old side's delete"),
        pytest.param(None, None, "v2", lead("a", **V2_WINS), id="a delete that is given up"),
        pytest.param(CHANGED, delete_on_v2, "old", CHANGED, id="a change that v2 had deleted"),
        pytest.param(CHANGED, delete_on_v2, "v2", None, id="v2's delete"),
        pytest.param(CHANGED, delete_on_v2, "merge", MERGED, id="a merge that revives"),
    ],
)
async def test_each_choice_ends_alike_on_both_sides(
    new: Item | None,
    v2: Callable[[BothWays], None] | None,
    kept: Kept,
    left: Item | None,
    tmp_path: Path,
) -> None:
    world = BothWays()
    name = await make_conflict(world, new, v2)
    (tmp_path / "merged.json").write_text(json.dumps(MERGED))
    choice = await resolving(world).choose(name, kept, tmp_path / "merged.json" if kept == "merge" else None)
    await resolving(world).resolve(choice)
    await world.carry()
    now = world.old_lead()
    assert now == (None if left is None else {**left, **_defaults(now)})
    assert await standing(world) == (0 if left is None else 1)
    assert (await world.both_ways())["result"] == "equal"
    assert await world.conflicts.count_open() == 0


def _defaults(old: Item | None) -> Item:
    """The attributes on old that come from the application's write on v2, besides those that a test names."""
    named = {"pk", "sk", "id", "created_at", "entity_type", "company"}
    return {name: value for name, value in (old or {}).items() if name not in named}


async def standing(world: BothWays) -> int:
    """How many items there are on v2, tombstones included."""
    return len(world.db.items("leads"))


def move_on_v2(world: BothWays, month: str, created: str) -> None:
    """The application moves the lead on v2 to another key, by a put and a delete."""
    moved = v2_of(lead("a", created=created, **V2_WINS))
    world.edit(
        "leads", lead_key("a", month), **{k: v for k, v in moved.items() if k not in (MAPPING.stamp, "PK", "SK")}
    )
    world.remove("leads", lead_key("a"))


async def settled_to(world: BothWays, name: str, kept: Kept, file: Path | None = None) -> None:
    """Resolve the conflict, and carry what that has written."""
    await resolving(world).resolve(await resolving(world).choose(name, kept, file))
    await world.carry()
    assert await standing(world) == 1
    assert (await world.both_ways())["result"] == "equal"


async def test_an_item_that_has_moved_since_to_a_key_that_only_the_ledger_knows_is_found_there() -> None:
    world = BothWays()
    name = await make_conflict(world, CHANGED)
    move_on_v2(world, "2024-09", "2024-09-01T00:00:00Z")
    await world.carry()
    await settled_to(world, name, "old")
    assert (world.v2_lead() or {})["company"] == {"S": "old side"}


async def test_an_item_that_has_moved_since_and_nobody_has_read_of_it_is_found_by_the_conflicts_keys(
    tmp_path: Path,
) -> None:
    world = BothWays()
    name = await make_conflict(world, MOVED)
    move_on_v2(world, "2024-07", JULY)
    (tmp_path / "merged.json").write_text(json.dumps(MERGED))
    await settled_to(world, name, "merge", tmp_path / "merged.json")
    assert (world.v2_lead() or {})["company"] == {"S": "both"}


async def test_a_merge_may_lead_to_a_key_that_neither_side_had(tmp_path: Path) -> None:
    world = BothWays()
    name = await make_conflict(world, CHANGED)
    elsewhere = lead("a", created="2024-09-01T00:00:00Z", company={"S": "both"})
    (tmp_path / "merged.json").write_text(json.dumps(elsewhere))
    await settled_to(world, name, "merge", tmp_path / "merged.json")
    assert (world.v2_lead("a", "2024-09") or {})["company"] == {"S": "both"}


async def test_what_is_written_has_the_stamp_of_a_re_drive(tmp_path: Path) -> None:
    world = BothWays()
    name = await make_conflict(world, MOVED, date_on_v2)
    await resolving(world).resolve(await resolving(world).choose(name, "old"))
    for month in ("2024-05", "2024-07"):
        item = world.v2_lead("a", month)
        assert item is not None
        stamp = decode_stamp(item, MAPPING.stamp)
        assert stamp is not None
        assert (stamp.version, stamp.base, stamp.tombstone) == (REPAIR_VERSION, None, month == "2024-05")


async def test_keeping_old_settles_two_live_keys(tmp_path: Path) -> None:
    world = BothWays()
    world.put_on_both_sides(lead("a"), v2_of(lead("a")))
    two_live(world)
    await world.carry()
    (held,) = await world.conflicts.held()
    world.put(CHANGED)
    await world.carry()
    (name,) = await world.conflicts.heads()
    assert (await world.conflicts.head(name)).value.reason == "two_live_keys"
    choice = await resolving(world).choose(name, "old")
    await resolving(world).resolve(choice)
    await world.carry()
    assert (world.old_lead() or {})["company"] == {"S": "old side"}
    assert await standing(world) == 1
    assert await world.conflicts.held() == {}
    assert held not in await world.conflicts.heads()


LOST = [
    ("v2", CHANGED, None, ('company: {"S": "old side"} (stays: {"S": "v2 side"})',)),
    ("old", CHANGED, None, ('company: {"S": "v2 side"} (stays: {"S": "old side"})',)),
    ("v2", None, None, ("the delete",)),
    ("old", CHANGED, delete_on_v2, ("the delete",)),
]


@pytest.mark.parametrize(("kept", "new", "v2", "lost"), LOST)
async def test_what_a_choice_gives_up_is_told(
    kept: Kept, new: Item | None, v2: Callable[[BothWays], None] | None, lost: tuple[str, ...]
) -> None:
    world = BothWays()
    name = await make_conflict(world, new, v2)
    assert (await resolving(world).choose(name, kept)).lost == lost


async def test_a_delete_is_not_given_up_where_v2_has_deleted_too() -> None:
    world = BothWays()
    name = await make_conflict(world, None)
    delete_on_v2(world)
    assert (await resolving(world).choose(name, "v2")).lost == ()
    assert (await resolving(world).choose(name, "old")).lost == ()


async def test_a_whole_item_that_is_given_up_is_told_in_short() -> None:
    world = BothWays()
    name = await make_conflict(world, None)
    (line,) = (await resolving(world).choose(name, "old")).lost
    assert line.startswith('the whole item: {"pk": {"S": "LEAD#a"}')
    assert line.endswith("...")


async def _edited(world: BothWays, name: str) -> None:
    world.edit("leads", lead_key("a"), status={"S": "won"})


async def _added(world: BothWays, name: str) -> None:
    world.edit("leads", lead_key("a"), brand_new={"S": "x"}, company={"S": "again"})


async def _deleted(world: BothWays, name: str) -> None:
    world.remove("leads", lead_key("a"))


async def _at_the_goal(world: BothWays, name: str) -> None:
    world.edit("leads", lead_key("a", "2024-07"), id={"S": "a"})


@pytest.mark.parametrize("meanwhile", [_edited, _added, _deleted, _at_the_goal])
async def test_v2_that_changes_between_reading_and_writing_is_left_alone(
    meanwhile: Callable[[BothWays, str], Awaitable[None]],
) -> None:
    world = BothWays()
    name = await make_conflict(world, MOVED, date_on_v2)
    choice = await resolving(world).choose(name, "old")
    await meanwhile(world, name)
    before = world.db.items("leads")
    with pytest.raises(Refused, match="v2 has changed meanwhile: nothing was written") as refused:
        await resolving(world).resolve(choice)
    assert refused.value.remedy == f"see `tablesplit conflicts show {name}`, then resolve it again"
    assert world.db.items("leads") == before
    assert await world.conflicts.count_open() == 1


async def test_v2_that_changes_between_two_writes_is_told_and_the_resolution_can_be_made_again() -> None:
    world = BothWays()
    name = await make_conflict(world, MOVED, date_on_v2)
    choice = await resolving(world).choose(name, "old")

    async def in_between(operation: str, subject: object) -> None:
        if isinstance(subject, Update) and subject.table == "leads":
            world.db.before = None
            world.edit("leads", lead_key("a"), status={"S": "won"})

    world.db.before = in_between
    with pytest.raises(Refused, match="v2 has changed meanwhile: the item is at two v2 keys"):
        await resolving(world).resolve(choice)
    await settled_to(world, name, "old")
    assert (world.v2_lead("a", "2024-07") or {})["company"] == {"S": "old side"}


async def test_where_v2_gets_an_item_before_the_first_write_the_item_is_not_removed_elsewhere() -> None:
    world = BothWays()
    name = await make_conflict(world, MOVED, date_on_v2)
    choice = await resolving(world).choose(name, "old")

    async def in_between(operation: str, subject: object) -> None:
        if isinstance(subject, Put) and subject.table == "leads":
            world.db.before = None
            await _at_the_goal(world, name)

    world.db.before = in_between
    with pytest.raises(Refused, match="v2 has changed meanwhile: nothing was written"):
        await resolving(world).resolve(choice)
    assert (world.v2_lead() or {})["company"] == {"S": "v2 side"}


async def test_of_two_operators_one_wins_and_the_other_is_told() -> None:
    world = BothWays()
    name = await make_conflict(world, CHANGED)
    first, second = await resolving(world).choose(name, "old"), await resolving(world).choose(name, "v2")
    await resolving(world).resolve(first)
    with pytest.raises(Refused, match=f"conflict {name} has been resolved already: old was kept by ann"):
        await resolving(world).resolve(second)
    with pytest.raises(Refused, match="resolved already"):
        await resolving(world).choose(name, "v2")


async def test_an_old_change_that_comes_after_the_resolution_is_carried() -> None:
    world = BothWays()
    name = await make_conflict(world, CHANGED)
    await resolving(world).resolve(await resolving(world).choose(name, "old"))
    await world.carry()
    world.put({**(world.old_lead() or {}), "status": {"S": "won"}})
    await world.carry()
    item = world.v2_lead()
    assert item is not None
    assert (item["status"], item["company"]) == ({"S": "won"}, {"S": "old side"})
    assert await world.conflicts.count_open() == 0


async def test_resolving_to_what_v2_holds_already_writes_nothing_there() -> None:
    world = BothWays()
    first = await make_conflict(world, CHANGED)
    await resolving(world).resolve(await resolving(world).choose(first, "old"))
    head = (await world.conflicts.head(first)).value
    second = replace(await world.conflicts.load(first), id=f"{first}x", resolution=None)
    assert head.resolution is not None
    await world.conflicts.keep(second)
    before = world.db.items("leads")
    await resolving(world).resolve(await resolving(world).choose(second.id, "old"))
    assert world.db.items("leads") == before
    assert await world.conflicts.count_open() == 0


NOT_CARRIED = [
    {"phase": "complete"},
    {"rule": "entering", "phase": "forward"},
    {"phase": "reverse", "move": Move("complete", "close", 0.0, 0.0, "bob")},
]


@pytest.mark.parametrize("parts", NOT_CARRIED)
async def test_without_reverse_only_v2_can_be_kept(parts: dict[str, Any]) -> None:
    world = BothWays()
    name = await make_conflict(world, CHANGED)
    with pytest.raises(Refused, match="v2 is not carried to the old table now"):
        await resolving(world, **parts).choose(name, "old")
    await resolving(world).resolve(await resolving(world, **parts).choose(name, "v2"))
    assert await world.conflicts.count_open() == 0


async def test_nothing_is_written_once_the_migration_was_completed_while_the_operator_thought() -> None:
    world = BothWays()
    name = await make_conflict(world, CHANGED)
    choice = await resolving(world).choose(name, "old")
    before = world.db.items("leads")
    with pytest.raises(Refused, match="v2 is not carried to the old table now"):
        await resolving(world, phase="complete").resolve(choice)
    assert world.db.items("leads") == before


async def test_an_image_without_a_v2_item_asks_for_a_merge() -> None:
    world = BothWays()
    conflict = await world.conflicts.load(await make_conflict(world, CHANGED))
    unknown = {**by_reverse(CHANGED), "entity_type": {"S": "GOBLIN"}}
    name = f"{conflict.id}r"
    await world.conflicts.keep(replace(conflict, id=name, reason="redriven", change=None, old=unknown))
    with pytest.raises(Refused, match="GOBLIN") as refused:
        await resolving(world).choose(name, "old")
    assert refused.value.remedy.endswith(f"conflicts resolve {name} --keep merge FILE")


async def test_an_old_item_that_a_repair_replaced_can_be_kept() -> None:
    world = BothWays()
    first = await make_conflict(world, CHANGED)
    await settled_to(world, first, "v2")
    conflict = await world.conflicts.load(first)
    kept = replace(conflict, id=f"{first}r", reason="redriven", change=None, old=by_reverse(CHANGED), resolution=None)
    await world.conflicts.keep(kept)
    shown = await resolving(world).show(kept.id)
    assert (shown["change"]["old"], shown["change"]["new"]) == (None, by_reverse(CHANGED))
    await settled_to(world, kept.id, "old")
    assert (world.old_lead() or {})["company"] == {"S": "old side"}


async def test_an_unknown_id_and_a_held_item_are_told_plainly() -> None:
    world = BothWays()
    world.put_on_both_sides(lead("a"), v2_of(lead("a")))
    two_live(world)
    await world.carry()
    (held,) = await world.conflicts.held()
    with pytest.raises(Misconfigured, match="no conflict has the id nope"):
        await resolving(world).choose("nope", "v2")
    with pytest.raises(Refused, match=f"{held} has two live keys on v2") as refused:
        await resolving(world).choose(held, "v2")
    assert refused.value.remedy == "delete one of the two on v2"
    shown = await resolving(world).show(held)
    assert {place["item"]["company"]["S"] for place in shown["v2_now"]} == {"v2 side", "second"}


async def test_show_gives_the_change_and_both_sides_versions() -> None:
    world = BothWays()
    name = await make_conflict(world, CHANGED)
    world.edit("leads", lead_key("a"), status={"S": "won"})
    shown = await resolving(world).show(name)
    assert shown["change"]["old"] == lead("a")
    assert shown["change"]["new"] == CHANGED
    (then,), (now,) = shown["v2"], shown["v2_now"]
    assert then["item"]["company"] == now["item"]["company"] == {"S": "v2 side"}
    assert then["item"][MAPPING.stamp] == v2_of(lead("a"))[MAPPING.stamp]
    assert (then["item"]["status"], now["item"]["status"]) == ({"S": "new"}, {"S": "won"})
    assert 'company: {"S": "old side"} (stays: {"S": "v2 side"})' in shown["lost_by_keep_v2"]


async def test_a_resolution_is_written_down() -> None:
    world, notes = BothWays(), AuditNotes()
    name = await make_conflict(world, CHANGED)
    choice = await resolving(world).choose(name, "v2")
    await resolving(world, audit=notes).resolve(choice, "v2 is newer")
    assert notes == [
        (
            "conflict resolved",
            "v2 is newer",
            {"id": name, "kept": "v2", "key": {"pk": "LEAD#a", "sk": "METADATA"}, "lost": list(choice.lost)},
        )
    ]
    head = (await world.conflicts.head(name)).value
    assert head.resolution is not None
    assert (head.resolution.kept, head.resolution.by) == ("v2", "ann")
