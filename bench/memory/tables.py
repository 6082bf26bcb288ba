"""The tables of the memory server: the old one, and the v2 tables as they are after a backfill. Writes change nothing."""

from collections.abc import Iterator, Sequence
from typing import Any

import orjson

from bench.items import OLD, Kinds
from service.core.item.wire import Item, key_text

Request = dict[str, Any]


class MemoryTable:
    """One table, in the order of a Scan and by key."""

    def __init__(self, side: str, kinds: Kinds, items: int, key_names: tuple[str, ...]) -> None:
        """``side``: as ``Kind.texts`` has it; ``items``: of all tables of the side together."""
        self._side = side
        self._kinds = kinds
        self._own = [kind for kind in kinds.all if side in kind.texts]
        self._key_names = key_names
        turns, rest = divmod(items, max(1, len(kinds.all)))  # a server without items is one before the start
        self._items = turns * len(self._own) + sum(side in kind.texts for kind in kinds.all[:rest])
        self._places: dict[str, int] = {}

    def scan(self, request: Request) -> bytes:
        """The answer to a Scan."""
        segment, segments = request.get("Segment", 0), request.get("TotalSegments", 1)
        start = request.get("ExclusiveStartKey")
        first = segment if start is None else self._places[key_text(start)] + segments
        places = range(first, self._items, segments)[: request["Limit"]]
        texts = list(self._texts(places))
        count = len(texts)
        end = b""
        if places and places[-1] + segments < self._items:
            end = b',"LastEvaluatedKey":' + orjson.dumps(self._key(texts[-1], places[-1]))
        units = orjson.dumps({"TableName": request["TableName"], "CapacityUnits": count / 2})
        head = b'{"Count":%d,"ScannedCount":%d,"ConsumedCapacity":%b' % (count, count, units)
        return head + end + b',"Items":[' + b",".join(texts) + b"]}"

    def get(self, key: Item) -> bytes | None:
        """The item at a key, as JSON."""
        text = next(value["S"] for value in reversed(key.values()) if "#" in value["S"])
        found = self._kinds.at(text.partition("#")[2])
        return None if found is None else found[0].text(self._side, found[1])

    def _texts(self, places: Sequence[int]) -> Iterator[bytes]:
        for place in places:
            turn, number = divmod(place, len(self._own))
            yield self._own[number].text(self._side, turn)

    def _key(self, text: bytes, place: int) -> Item:
        """The key of the item, whose place is kept: the next page begins there."""
        item = orjson.loads(text)
        key = {name: item[name] for name in self._key_names}
        self._places[key_text(key)] = place
        return key


class MemoryTables:
    """The old table and the v2 tables, and their answers to the operations on items."""

    def __init__(self, old: str, old_key: tuple[str, ...], v2: dict[str, tuple[str, ...]], kinds: Kinds, items: int):
        self.tables = {name: MemoryTable(name, kinds, items, key_names) for name, key_names in v2.items()}
        self.tables[old] = MemoryTable(OLD, kinds, items, old_key)

    def get(self, request: Request) -> bytes:
        """The answer to a GetItem."""
        found = self.tables[request["TableName"]].get(request["Key"])
        return b"{}" if found is None else b'{"Item":%b}' % found

    def batch_get(self, request: Request) -> bytes:
        """The answer to a BatchGetItem."""
        parts = [b'"%b":[%b]' % (name.encode(), self._found(name, asked)) for name, asked in _tables(request)]
        return b'{"Responses":{' + b",".join(parts) + b'},"UnprocessedKeys":{}}'

    def _found(self, name: str, asked: Request) -> bytes:
        texts = (self.tables[name].get(key) for key in asked["Keys"])
        found = [text for text in texts if text is not None]
        if "ProjectionExpression" in asked:
            wanted = _projected(asked)
            found = [orjson.dumps(_only(orjson.loads(text), wanted)) for text in found]
        return b",".join(found)


def _tables(request: Request) -> Iterator[tuple[str, Request]]:
    yield from request["RequestItems"].items()


def _projected(asked: Request) -> list[list[str]]:
    """The paths of names that are wanted."""
    names = asked.get("ExpressionAttributeNames", {})
    paths = asked["ProjectionExpression"].replace(" ", "").split(",")
    return [[names.get(name, name) for name in path.split(".")] for path in paths]


def _only(item: Item, wanted: list[list[str]]) -> Item:
    left: Item = {}
    for path in wanted:
        here: Any = item
        for name in path:
            here = here.get("M", here) if here is not item else here
            here = here.get(name) if isinstance(here, dict) else None
        if here is not None:
            _put(left, path, here)
    return left


def _put(item: Item, path: list[str], value: Any) -> None:
    here: Any = item
    for name in path[:-1]:
        here = here.setdefault(name, {"M": {}})["M"]
    here[path[-1]] = value
