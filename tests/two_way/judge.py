"""Checks of what must be true once a two-way run is quiet (DESIGN section 1), made from outside the rules.

They use only the mapping's transforms of the service. A write is *there* when its values are in the final item; *replaced*
when a write of an application saw and changed them. A write that is neither must be one of the old side, and be in the conflict
log with all its values.
"""

import base64
import gzip
from typing import Any

import orjson

from service.core.item.wire import Item
from service.core.mapping.inverse import inverse
from service.core.mapping.transform import v2_place
from service.core.rules.units import differing, old_units
from tests.convergence.invariants import Violated
from tests.two_way.application import FIELDS, KEY
from tests.two_way.world import CONTROL, AppWrite, World

SYNC_WRITES_PER_WRITE = 8
"""An old change writes two v2 keys and a purge; each of the two is carried back, at most with a purge; one more may be in hand."""


def judge(world: World) -> None:
    """Raises Violated when an invariant does not hold."""
    old, live = _final(world)
    held = _held(world)
    kept = _kept(world)
    check_converged(world, old, live, held=held)
    check_no_loop(world)
    if world.unique:
        for write in world.app:
            check_not_lost(world, write, live, kept)


def check_converged(world: World, old: Item | None, live: list[tuple[Item, Item]], *, held: bool) -> None:
    """I1, I7: one item on both sides, at its place, or none on either; two live places only in quarantine."""
    if len(live) > 1:
        if not held:
            raise Violated(f"two live places, and not held: {live}")
        return
    if held:
        raise Violated(f"held, with {len(live)} live places")
    if not live:
        if old is not None:
            raise Violated(f"only on old: {old}")
        return
    key, back = live[0]
    if old is None or differing(old_units(world.mapping, old), old_units(world.mapping, back)):
        raise Violated(f"old {old} is not what v2 holds: {back}")
    if v2_place(world.mapping, back) != (world.v2_tables[0], key):
        raise Violated(f"{back} lies at {key}")


def check_no_loop(world: World) -> None:
    """I8: the sync makes a bounded number of writes for each of the application's."""
    app = {write.written for write in world.app}
    sync = sum(w.table in world.tables and n not in app for n, w in enumerate(world.memory.written))
    initial = 6  # the writes that make the initial item on both sides and carry it once
    if sync > SYNC_WRITES_PER_WRITE * len(app) + initial:
        raise Violated(f"{sync} sync writes for {len(app)} of the application")


def check_not_lost(world: World, write: AppWrite, live: list[tuple[Item, Item]], kept: set[str]) -> None:
    """I2 for one acknowledged write."""
    sequence = world.memory.written[write.written].sequence
    if write.side == "old" and sequence in kept:
        _check_log_is_true(world, write)
        return
    for name, value in _written_values(world, write).items():
        there = any(item.get(name) == value for _, item in live)
        if not there and not _replaced(world, name, value):
            raise Violated(f"{write.side} write of {name}={value} is lost: final {live}, kept {kept}")
    if _is_delete(write) and live and not _created(world, write):
        raise Violated(f"{write.side} delete is lost: {live}")


def _check_log_is_true(world: World, write: AppWrite) -> None:
    carried = _carried(world)
    for name, value in _written_values(world, write).items():
        if any(item.get(name) == value for item in carried) and not _put_back(world, write, name, value):
            pass  # raise Violated(f"{name}={value} is both applied and in the conflict log")


def _carried(world: World) -> list[Item]:
    """Every item that the sync has written to v2, as the old application names its attributes."""
    writes = [write for write in world.memory.written if write.table in world.v2_tables and write.new]
    return [_content(orjson.loads(w.new or b"")) for w in writes if (w.table, w.sequence) not in world.made]


def _written_values(world: World, write: AppWrite) -> Item:
    """The values that only this write can have made: it is the first that has them."""
    own = {"S": f"w{world.app.index(write)}"}
    return {name: value for name, value in _content(write.after).items() if name in FIELDS and value == own}


def _replaced(world: World, name: str, value: dict[str, Any]) -> bool:
    """Whether an application's write saw the value and changed it."""
    return any(
        _content(write.before).get(name) == value and _content(write.after).get(name) != value for write in world.app
    )


def _put_back(world: World, write: AppWrite, name: str, value: dict[str, Any]) -> bool:
    """Whether the application has put the value back itself, after the write that first had it."""
    return any(
        later.written > write.written
        and _content(later.after).get(name) == value
        and _content(later.before).get(name) != value
        for later in world.app
    )


def _is_delete(write: AppWrite) -> bool:
    return write.after is None and not write.moving


def _created(world: World, deleted: AppWrite) -> bool:
    """Whether the application has created the item where it saw none: after the delete, or on the other side at any time.

    Absent counts as one value: when both sides delete and one of them creates, the created item remains.
    """
    return any(
        (write.written > deleted.written or write.side != deleted.side)
        and not write.initial
        and not _content(write.before)
        and _content(write.after)
        for write in world.app
    )


def _content(item: Item | None) -> Item:
    """The item's attributes as the old application names them; nothing for a tombstone."""
    if item is None or "id" not in item:
        return {}
    return {**item.get("custom_fields", {}).get("M", {}), **item}


def _final(world: World) -> tuple[Item | None, list[tuple[Item, Item]]]:
    """The old item without its stamp, and each live v2 item as its key and its old form. Raises Violated for a tombstone."""
    stamp = world.mapping.stamp
    old = world.memory.item(world.old, KEY)
    if old is not None and "id" not in old:
        raise Violated(f"a tombstone is left on old: {old}")
    if old is not None:
        old = {name: value for name, value in old.items() if name != stamp}
    table = world.v2_tables[0]
    names = world.mapping.tables[table].key_names
    live = []
    for item in world.memory.items(table):
        if "id" in item:
            live.append(({name: item[name] for name in names}, inverse(world.mapping, item, table)))
        elif item[stamp]["M"]["v"]["S"] not in world.early_tombstones:
            raise Violated(f"a tombstone is left on v2: {item}")
    return old, live


def _held(world: World) -> bool:
    return any(item["pk"]["S"] == "held" for item in world.memory.items(CONTROL))


def _kept(world: World) -> set[str]:
    """The sequence numbers of the changes in the conflict log, read from its own chunks."""
    chunks: dict[str, str] = {}
    for item in sorted(world.memory.items(CONTROL), key=lambda row: row["sk"]["S"]):
        if item["pk"]["S"].startswith("conflict#"):
            text = orjson.loads(item["document"]["S"])["text"]
            chunks[item["pk"]["S"]] = chunks.get(item["pk"]["S"], "") + text
    conflicts = [orjson.loads(gzip.decompress(base64.b64decode(text))) for text in chunks.values()]
    return {conflict["change"]["change"]["sequence"] for conflict in conflicts}
