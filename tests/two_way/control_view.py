"""What the control table says at the end of a history: the fields in the conflict log, and the items that are held."""

import base64
import gzip
from typing import Any

import orjson

from service.core.item.wire import Item
from tests.two_way.recorder import elements
from tests.two_way.world import CONTROL, World


def lost_fields(world: World) -> list[tuple[str, str, Any]]:
    """Item, field and value of everything in the conflict log; for a delete, the item itself (field "")."""
    found = []
    for conflict, fields in _conflicts(world):
        change = conflict["change"]["change"]
        name, old, new = change["key"]["pk"]["S"], change["old"] or {}, change["new"]
        if new is None:
            found.append((name, "", None))
            continue
        for field in fields:
            if field == "tags" and world.mapping_merges:
                found += [(name, f"tags {text}", value) for text, value in _changed_elements(old, new)]
            else:
                found.append((name, field, new.get(field)))
    return found


def _changed_elements(old: Item, new: Item) -> list[tuple[str, Any]]:
    """The elements that a change has added, with their value, and those that it has removed, without one."""
    before, after = (set(elements(image.get("tags", {}))) for image in (old, new))
    return [(text, {"S": text} if text in after else None) for text in sorted(before ^ after)]


def held_names(world: World) -> set[str]:
    """The old items that are at two places on v2 and wait for an operator."""
    rows = [item for item in world.memory.items(CONTROL) if item["pk"]["S"] == "held"]
    return {orjson.loads(row["document"]["S"])["key"]["pk"]["S"] for row in rows}


def _conflicts(world: World) -> list[tuple[Any, list[str]]]:
    """Each conflict's images, and the fields of its head."""
    chunks: dict[str, str] = {}
    heads: dict[str, list[str]] = {}
    for item in sorted(world.memory.items(CONTROL), key=lambda row: row["sk"]["S"]):
        if item["pk"]["S"] == "conflict":
            heads[item["sk"]["S"]] = orjson.loads(item["document"]["S"])["fields"]
        elif item["pk"]["S"].startswith("conflict#"):
            name = item["pk"]["S"].removeprefix("conflict#")
            chunks[name] = chunks.get(name, "") + orjson.loads(item["document"]["S"])["text"]
    images = {name: orjson.loads(gzip.decompress(base64.b64decode(text))) for name, text in chunks.items()}
    return [(images[name], fields) for name, fields in heads.items() if images[name]["change"] is not None]
