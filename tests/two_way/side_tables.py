"""The items of one side as its application knows them: where an item lies, and where an attribute lies in it."""

from service.core.item.wire import AttributeValue, Item
from service.core.item.write import Delete, Put
from service.core.phases.acting import Side
from tests.two_way.world import World

GATHERED = frozenset({"note", "memo", "remark", "calls", "views", "history", "labels"})
"""They have no field in the mapping."""


class SideTable:
    """One side's items as its application knows them: where an item lies, and where an attribute lies in it."""

    def __init__(self, world: World, side: Side) -> None:
        self.world = world
        self.side = side
        self.tables = [world.old] if side == "old" else world.v2_tables

    def find(self, number: str, entity: str = "DEAL") -> Item | None:
        """A live item."""
        memory, table = self.world.memory, self.of(entity)
        if self.side == "old":
            item = memory.item(table, old_key(number, entity))
            return item if item is not None and "id" in item else None
        found = [item for item in memory.items(table) if item.get("id") == {"S": number}]
        return self.world.rng.choice(found) if found else None

    def key(self, item: Item) -> Item:
        """The key attributes of an item."""
        names = ("pk", "sk") if self.side == "old" else ("PK", "SK")
        return {name: item[name] for name in names}

    def at_key_of(self, item: Item) -> Item | None:
        """What lies at the key of an item, a tombstone too."""
        return self.world.memory.item(self.of(entity_of(item)), self.key(item))

    def put(self, item: Item) -> Put:
        """The write of a whole item."""
        return Put(self.of(entity_of(item)), item)

    def delete(self, item: Item) -> Delete:
        """The removal of an item."""
        return Delete(self.of(entity_of(item)), self.key(item))

    def get(self, item: Item, name: str) -> AttributeValue | None:
        """A field of an item."""
        return item.get("custom_fields", {}).get("M", {}).get(name) if self._gathers(name) else item.get(name)

    def set(self, item: Item, name: str, value: AttributeValue | None) -> Item:
        """The item with a field set, or without it; on v2 with the index keys that belong to it, as its application knows."""
        if self._gathers(name):
            gathered = with_attribute(item.get("custom_fields", {}).get("M", {}), name, value)
            return {**item, "custom_fields": {"M": gathered}}
        item = with_attribute(item, name, value)
        if self.side == "v2" and name == "stage":
            item["GSI1PK"] = {"S": f"STAGE#{value['S']}" if value else "STAGE#"}
        if self.side == "v2" and name == "created_at" and value is not None:
            item |= {"SK": {"S": f"{value['S'][:7]}#{item['id']['S']}"}, "GSI1SK": value}
        return item

    def renamed(self, item: Item, number: str, entity: str = "DEAL") -> Item:
        """The same item under another name, with all that it has."""
        item = {**item, "id": {"S": number}}
        if self.side == "old":
            return {**item, **old_key(number, entity), "entity_type": {"S": entity}}
        return {**item, "SK": {"S": f"{item['SK']['S'].split('#')[0]}#{number}"}, "GSI2SK": {"S": number}}

    def _gathers(self, name: str) -> bool:
        return self.side == "v2" and name in GATHERED

    def of(self, entity: str) -> str:
        """The name of the table that has the items of an entity."""
        return self.world.old if self.side == "old" else self.world.mapping.entities[entity].table


def old_key(number: str, entity: str = "DEAL") -> Item:
    """The key of an old item."""
    return {"pk": {"S": f"{entity}#{number}"}, "sk": {"S": "METADATA"}}


def entity_of(item: Item) -> str:
    """The name of an item's entity, by its key."""
    return str((item.get("pk") or item["PK"])["S"].split("#")[0])


def with_attribute(item: Item, name: str, value: AttributeValue | None) -> Item:
    """The item with an attribute set, or without it."""
    rest = {other: content for other, content in item.items() if other != name}
    return rest if value is None else {**rest, name: value}
