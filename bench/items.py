"""Any number of old items: those of the demonstration, repeated, each with an id of its own; and how v2 has them.

None of them is kept: each is made of the text of its kind when it is asked for, so that a million need no memory.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

import orjson

from service.core.item.wire import Item
from service.core.mapping.mapping import Mapping
from service.core.rules.guarded import copy_write
from service.rehearsal.demo.items import old_items

DEALS = 8_800
ID = "the-id-of-this-item"
"""Stands for an item's id in the text of its kind."""

OLD = "old"


@dataclass(frozen=True, slots=True)
class Kind:
    """An item of the demonstration. Its copies differ from it by the id alone."""

    identity: str
    texts: dict[str, list[bytes]]
    """Under OLD the item as JSON, under its v2 table the same of the copy that a backfill makes; cut where the id belongs."""

    def text(self, side: str, turn: int) -> bytes:
        """The item as JSON, in its turn."""
        identity = self.identity if turn == 0 else f"{self.identity}-{turn}"
        return identity.encode().join(self.texts[side])


class Kinds:
    """The kinds that ``items`` items need, in order."""

    def __init__(self, mapping: Mapping, items: int) -> None:
        self.all = [_kind(mapping, old) for old in _demonstration()[:items]]
        self.by_identity = {kind.identity: kind for kind in self.all}

    def at(self, identity: str) -> tuple[Kind, int] | None:
        """The kind of the item with this id, and its turn."""
        if identity in self.by_identity:
            return self.by_identity[identity], 0
        base, _, turn = identity.rpartition("-")
        return (self.by_identity[base], int(turn)) if base in self.by_identity and turn.isdigit() else None


def many_items(items: int) -> Iterator[Item]:
    """``items`` different old items."""
    kinds = _demonstration()
    for number in range(items):
        turn, place = divmod(number, len(kinds))
        yield kinds[place] if turn == 0 else with_id(kinds[place], f"{kinds[place]['id']['S']}-{turn}")


def with_id(item: Item, identity: str) -> Item:
    """The old item with another id."""
    return {**item, "id": {"S": identity}, "pk": {"S": f"{item['entity_type']['S']}#{identity}"}}


@cache
def _demonstration() -> list[Item]:
    return list(old_items(DEALS))


def _kind(mapping: Mapping, old: Item) -> Kind:
    of_any_id = with_id(old, ID)
    copy = copy_write(mapping, of_any_id, 1)
    return Kind(old["id"]["S"], {OLD: _cut(of_any_id), copy.table: _cut(copy.item)})


def _cut(item: Item) -> list[bytes]:
    return orjson.dumps(item).split(ID.encode())
