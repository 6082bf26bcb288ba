"""Hypothesis strategies for mappings: random keys, ids, fields and made attributes, as far as the checks accept them."""

from typing import Any

import orjson
from hypothesis import assume
from hypothesis import strategies as st

from service.core.mapping.mapping import Mapping, load_mapping
from service.errors import Misconfigured

IDS = ("id", "owner", "number")
WORDS = st.sampled_from(["USER", "ORDER", "META", "A", ""])
TYPES = st.sampled_from(
    ["string", "int", "number", "boolean", "date", "epoch", "epoch_ms", "list", "map", "any", "binary"]
)
DEFAULTS = {"string": "none", "int": 7, "number": 0.5, "boolean": False, "epoch": 0, "epoch_ms": "2000-01-01"}
DEFAULTS |= {"list": [], "map": {}}


@st.composite
def mappings(draw: Any) -> Mapping:
    """A mapping that is accepted."""
    separator = draw(st.sampled_from([None, "#", "::"]))
    old: dict[str, Any] = {"table": "old", "partition_key": "pk", "sort_key": "sk"}
    if separator is not None:
        old["separator"] = separator
    if draw(st.booleans()):
        old["entity"] = "kind"
    names = draw(st.lists(st.sampled_from(["one", "two", "three"]), min_size=1, max_size=3, unique=True))
    entities = {name: draw(_entities(name, separator or "#")) for name in names}
    document = {"version": 2, "name": "random", "old": old, "entities": entities}
    try:
        return load_mapping(orjson.dumps(document).decode(), source="random.yaml")
    except Misconfigured:
        assume(False)
        raise


@st.composite
def _entities(draw: Any, name: str, separator: str) -> dict[str, Any]:
    ids = draw(st.lists(st.sampled_from(IDS), min_size=1, max_size=3, unique=True))
    fields = {one: draw(_id_fields(one)) for one in ids}
    split = draw(st.integers(0, len(ids)))
    others = draw(_other_fields())
    entity: dict[str, Any] = {
        "table": f"{name}s-v2",
        "old_key": {
            "pk": draw(_texts(ids[:split], separator, fields)),
            "sk": draw(_texts(ids[split:], separator, fields)),
        },
        "key": draw(_keys(ids, separator)),
        "fields": {one: field for one, field in fields.items() if field is not None} | others,
        "old_made": draw(st.dictionaries(st.sampled_from(["ix1", "ix2"]), _made(sorted(others)), max_size=2)),
        "unmapped": draw(st.sampled_from(["keep", "gather into rest"])),
    }
    if draw(st.booleans()):
        entity["when"] = {"v": draw(st.sampled_from(["1", 1, True]))}
    if others and draw(st.booleans()):
        entity["indexes"] = {"ix": [draw(st.sampled_from(sorted(others)))]}
    return entity


def _id_fields(name: str) -> st.SearchStrategy[dict[str, Any] | None]:
    """None: the id is read out of the key, as text."""
    kind = {"number": "int"}.get(name, "string")
    return st.sampled_from(
        [
            {"type": kind, "required": True},
            {"type": kind, "required": True, "from": f"old_{name}"},
            {"type": kind, "required": True, "only_in_key": True},
            None,
        ]
    )


@st.composite
def _texts(draw: Any, ids: list[str], separator: str, fields: dict[str, Any]) -> str:
    """A template of an old key: words and ids between separators."""
    parts = [draw(WORDS)]
    for one in ids:
        modifiers = ["", ":pad9"] if one == "number" else ["", "", ":lower", ":upper"]
        in_key = fields[one] is None or "only_in_key" in fields[one]
        modifier = draw(st.sampled_from(modifiers if one == "number" or not in_key else [""]))
        parts += [f"{{{one}{modifier}}}", *draw(st.lists(WORDS, max_size=1))]
    return separator.join(part for part in parts if part) or "CONSTANT"


def _keys(ids: list[str], separator: str) -> st.SearchStrategy[Any]:
    joined = separator.join(f"{{{one}}}" for one in ids)
    templates: list[Any] = [{"PK": joined}, {"PK": "ALL", "SK": joined}]
    return st.sampled_from([*templates, ids] if len(ids) < 3 else templates)


@st.composite
def _other_fields(draw: Any) -> dict[str, Any]:
    fields: dict[str, Any] = {}
    for name in draw(st.lists(st.sampled_from(["name", "status", "count", "due"]), max_size=3, unique=True)):
        field: dict[str, Any] = {"type": draw(TYPES)}
        if draw(st.booleans()) and field["type"] in DEFAULTS:
            field["default"] = DEFAULTS[field["type"]]
        if draw(st.booleans()):
            field["from"] = f"x_{name}"
        if draw(st.booleans()):
            field["aliases"] = [f"other_{name}"]
        fields[name] = field
    return fields


def _made(names: list[str]) -> st.SearchStrategy[str]:
    """A template of an index attribute of the old table."""
    templates = ["KIND", "{id}", "N#{number}"]
    templates += [
        text for name in names for text in (f"{{{name}?}}", f"{{{name}|none}}#X", f"{{{name}:lower?}}#{{id}}")
    ]
    return st.sampled_from(templates)
