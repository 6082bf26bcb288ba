"""Makes the history of a two-way run from every accepted write of the tables: which fields of which item it found and left.

It sees what is in the tables, and who wrote it; it knows nothing of the rules.
"""

from typing import Any, Literal

import orjson

from service.core.item.wire import AttributeValue, Item
from service.core.mapping.mapping import Mapping
from service.core.phases.acting import Side
from service.rehearsal.history import ITEM, LIVE, Operation

UNRECORDED = frozenset({"id", "updated_at", "custom_fields", "GSI1PK", "GSI1SK", "GSI2SK"})
"""Not written by themselves: an item's name, and what is made of its other attributes."""

OWN_KEY = "GSI2PK"
"""An index key that v2's application writes by hand here."""


class Recorder:
    """Notes operations as ``wrote`` is called. An item that is at two places at the moment is noted once it is at one."""

    def __init__(self, mapping: Mapping, elements: frozenset[str] = frozenset()) -> None:
        """``elements``: lists of which each element is judged as a field of its own."""
        self.operations: list[Operation] = []
        self._mapping = mapping
        self._elements = elements
        self._places: dict[tuple[Side, str], dict[bytes, Item]] = {}
        self._seen: dict[tuple[Side, str], Item] = {}

    def wrote(
        self, table: str, key: bytes, before: bytes | None, after: bytes | None, by: Literal["application", "sync"]
    ) -> None:
        """A write of an old or v2 table was accepted."""
        side: Side = "old" if table == self._mapping.old.table else "v2"
        was, now = self._read(side, before), self._read(side, after)
        name = self._name(side, table, before if was is not None else after)
        if name is None or (was is None and now is None):
            return
        places = self._places.setdefault((side, name), {})
        place = table.encode() + key
        places.pop(place, None)
        if now is not None:
            places[place] = now
        elsewhere = [item for other, item in places.items() if other != place]
        seen = self._seen.get((side, name), {})
        if by == "sync":
            if len(places) < 2:
                self._note(side, name, seen, next(iter(places.values()), {}), by)
            return
        if elsewhere and (was is None) != (now is None):
            self._add(side, name, ITEM, LIVE, None, by)
            was = None
        left = now or next(iter(elsewhere), {})
        self._note(side, name, was or seen, left, by)

    def _note(self, side: Side, name: str, before: Item, after: Item, by: Any) -> None:
        for attribute in sorted(before.keys() | after.keys()):
            if before.get(attribute) != after.get(attribute):
                self._add(side, name, attribute, before.get(attribute), after.get(attribute), by)
        self._seen[side, name] = after

    def _add(
        self,
        side: Side,
        name: str,
        attribute: str,
        read: AttributeValue | None,
        written: AttributeValue | None,
        by: Any,
    ) -> None:
        self.operations.append(Operation(side, name, attribute, read, written, float(len(self.operations)), by))

    def _read(self, side: Side, text: bytes | None) -> Item | None:
        """The fields of a live item; None for a tombstone, and for none."""
        item = orjson.loads(text) if text is not None else None
        if item is None or "id" not in item:
            return None
        return {ITEM: LIVE, **self._fields(side, item)}

    def _fields(self, side: Side, item: Item) -> Item:
        left_out = {*UNRECORDED, self._mapping.stamp}
        left_out |= {self._mapping.old.entity, "pk", "sk"} if side == "old" else {"PK", "SK"}
        fields = {name: value for name, value in flat(item).items() if name not in left_out}
        for name in self._elements & fields.keys():
            fields |= {f"{name} {text}": {"S": text} for text in elements(fields.pop(name))}
        return fields

    def _name(self, side: Side, table: str, text: bytes | None) -> str | None:
        item = orjson.loads(text) if text is not None else {}
        if "id" not in item:
            return None
        if side == "old":
            return str(item["pk"]["S"])
        entity = self._mapping.entity_at(table, item)
        return None if entity is None else f"{entity.name}#{item['id']['S']}"


def flat(item: Item) -> Item:
    """The item with the attributes that the mapping gathers beside the others."""
    return {**item.get("custom_fields", {}).get("M", {}), **item}


def elements(value: AttributeValue) -> list[str]:
    """The texts in a list or a set."""
    return list(value.get("SS", [])) + [element["S"] for element in value.get("L", []) if "S" in element]
