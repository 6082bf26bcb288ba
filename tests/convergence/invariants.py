"""Checks of what must be true of the tables (DESIGN section 1), made from outside the apply rules."""

from dataclasses import dataclass

import orjson

from service.core.item.compare import differences
from service.core.item.wire import Item
from service.core.mapping.inverse import inverse
from service.core.mapping.mapping import Mapping
from service.core.mapping.transform import forward
from service.errors import Poison
from tests.fakes.memory import MemoryDynamoDB, Written

GENERATION = 1


class Violated(AssertionError):
    """An invariant does not hold."""


def check_converged(memory: MemoryDynamoDB, mapping: Mapping) -> None:
    """I1, I2, I7 once everything is quiet: v2 holds ``forward`` of every old item, gives it back, and nothing else.

    An old item that cannot be mapped has no v2 item.
    """
    expected = _expected(memory, mapping)
    for table, key_names in v2_tables(mapping).items():
        for item in memory.items(table):
            _check_item(mapping, table, item, expected.pop(_place(table, key_names, item), None))
    if expected:
        raise Violated(f"I1: missing on v2: {list(expected)}")


def check_no_resurrection(memory: MemoryDynamoDB, mapping: Mapping) -> None:
    """I3 over every write ever made on v2: an item that was removed from a key does not live there again, not even for a while.

    A repair or a backfill may write early the content that a later change writes there.
    """
    writes = _writes_of_changes(memory, mapping)
    removed: dict[tuple[str, bytes], str] = {}
    tables = v2_tables(mapping)
    for written in memory.written:
        if written.table not in tables or written.new is None:
            continue
        stamp, content = _split(written.new, mapping.stamp)
        place = (written.table, written.key)
        if "d" in stamp:
            removed[place] = max(removed.get(place, ""), stamp["v"]["S"])
        elif stamp["v"]["S"] < removed.get(place, "") and not any(
            order > removed[place] and same == content for order, same in writes.get(place, ())
        ):
            raise Violated(f"I3: {place} lives again at {stamp['v']['S']}, removed at {removed[place]}")


def v2_tables(mapping: Mapping) -> dict[str, tuple[str, ...]]:
    """The v2 tables and their key attributes."""
    return {name: shape.key_names for name, shape in mapping.tables.items()}


@dataclass(frozen=True, slots=True)
class Expected:
    """A v2 item that must be there, without its stamp, and the old item that it is made from."""

    item: Item
    old: Item


def _expected(memory: MemoryDynamoDB, mapping: Mapping) -> dict[str, Expected]:
    expected = {}
    for old in memory.items(mapping.old.table):
        try:
            v2 = forward(mapping, old)
        except Poison:
            continue
        expected[_place(v2.table, tuple(v2.key), v2.key)] = Expected(v2.item, old)
    return expected


def _check_item(mapping: Mapping, table: str, item: Item, expected: Expected | None) -> None:
    content = {name: value for name, value in item.items() if name != mapping.stamp}
    if "d" in item[mapping.stamp]["M"]:
        if expected is not None:
            raise Violated(f"I1: a tombstone is where {expected.old} should be")
        return
    if expected is None:
        raise Violated(f"I1: extra on {table}: {item}")
    wrong = differences(expected.item, content)
    if wrong:
        raise Violated(f"I1: {table} differs in {wrong}: {item} is not {expected.item}")
    given_back = inverse(mapping, item, table)
    if differences(expected.old, given_back):
        raise Violated(f"I7: {given_back} is not {expected.old}")


def _writes_of_changes(memory: MemoryDynamoDB, mapping: Mapping) -> dict[tuple[str, bytes], list[tuple[str, Item]]]:
    """By v2 place, what the old table's changes write there: the version (padded here, not by the rule) and the item."""
    writes: dict[tuple[str, bytes], list[tuple[str, Item]]] = {}
    for written in memory.written:
        if written.table == mapping.old.table and written.new is not None:
            _add_write(writes, mapping, written)
    return writes


def _add_write(writes: dict[tuple[str, bytes], list[tuple[str, Item]]], mapping: Mapping, written: Written) -> None:
    try:
        v2 = forward(mapping, orjson.loads(written.new or b""))
    except Poison:
        return
    key = orjson.dumps(list(v2.key.values()))
    writes.setdefault((v2.table, key), []).append((f"{GENERATION:04}.{written.sequence:0>40}", v2.item))


def _split(item: bytes, stamp: str) -> tuple[Item, Item]:
    content = orjson.loads(item)
    return content.pop(stamp)["M"], content


def _place(table: str, key_names: tuple[str, ...], item: Item) -> str:
    return f"{table} {[item[name] for name in key_names]}"
