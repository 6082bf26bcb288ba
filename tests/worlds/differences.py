"""Every kind of difference between both sides, made by hand in the tables of a validation, and how a report lists them."""

from typing import Any

from tests.builders.small_crm import lead_key, old_key
from tests.worlds.validation_world import World

ZERO = dict.fromkeys(("old", "v2", "equal", "missing", "extra", "mismatch", "quarantined", "tombstones"), 0)


def kinds(document: dict[str, Any]) -> list[tuple[str, str, list[str]]]:
    return sorted((entry["kind"], entry["old_key"]["pk"], entry["fields"]) for entry in document["differences"])


def break_missing(world: World) -> None:
    world.db.tables["leads"].items.clear()


def break_field(world: World) -> None:
    world.edit("leads", lead_key("a"), status={"S": "lost"})


def break_type(world: World) -> None:
    world.edit("leads", lead_key("a"), followers={"S": "85"})


def break_index_attribute(world: World) -> None:
    world.edit("leads", lead_key("a"), GSI1PK={"S": "STATUS#lost"})


def break_extra_attribute(world: World) -> None:
    world.edit("leads", lead_key("a"), invented={"S": "x"})


def drop_stamp(world: World) -> None:
    world.edit("leads", lead_key("a"), _sync=None)


def damage_stamp(world: World) -> None:
    world.edit("leads", lead_key("a"), _sync={"S": "?"})


def drop_residue(world: World) -> None:
    stamp = dict((world.db.item("leads", lead_key("a")) or {})["_sync"]["M"])
    world.edit("leads", lead_key("a"), _sync={"M": {name: stamp[name] for name in stamp if name not in ("r", "a")}})


def add_extra(world: World) -> None:
    world.edit(
        "leads",
        lead_key("b"),
        **{**(world.db.item("leads", lead_key("a")) or {}), "id": {"S": "b"}, **lead_key("b")},
    )


def leave_at_former_key(world: World) -> None:
    item = world.db.item("leads", lead_key("a")) or {}
    world.edit("leads", lead_key("a", "2023-01"), **{**item, **lead_key("a", "2023-01")})


def resurrect(world: World) -> None:
    item = world.db.item("leads", lead_key("a")) or {}
    world.delete(old_key("LEAD", "a"))
    world.sync()
    world.edit("leads", lead_key("a"), **item)


KINDS = [
    (break_missing, "missing", [], "LEAD#a"),
    (break_field, "mismatch", ["status"], "LEAD#a"),
    (break_type, "mismatch", ["followers"], "LEAD#a"),
    (break_index_attribute, "mismatch", ["GSI1PK"], "LEAD#a"),
    (break_extra_attribute, "mismatch", ["invented"], "LEAD#a"),
    (drop_stamp, "mismatch", ["_sync"], "LEAD#a"),
    (damage_stamp, "mismatch", ["_sync"], "LEAD#a"),
    (drop_residue, "mismatch", ["_sync"], "LEAD#a"),
    (add_extra, "extra", [], "LEAD#b"),
    (leave_at_former_key, "extra", [], "LEAD#a"),
    (resurrect, "extra", [], "LEAD#a"),
]
