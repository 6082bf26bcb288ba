"""Hypothesis strategies for items as real tables hold them: clean, dirty, and everything that DynamoDB can store."""

import base64
import os
from functools import cache
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from service.core.item.wire import AttributeValue, Item
from service.core.mapping.entity import Entity, FieldRule
from service.core.mapping.mapping import Mapping
from service.core.mapping.transform import forward
from service.errors import Poison
from tests.builders.marshalled import marshalled

settings.register_profile(
    "tablesplit",
    deadline=None,
    derandomize="CI" in os.environ,
    max_examples=200,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("tablesplit")

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
NUMBERS = st.one_of(
    st.integers(-(10**38) + 1, 10**38 - 1).map(str),
    st.sampled_from(["0", "1", "-3.75", "1.5", "0." + "0" * 99 + "12345", "1" + "0" * 125, "9" * 38]),
)
BINARIES = st.binary(max_size=6).map(lambda content: base64.b64encode(content).decode())
DATE_TEXTS = (
    "2024-02-29T23:30:00-05:00",
    "2024-03-01T00:10:00+09:00",
    "2023-01-02",
    "2024-01-02T03:04:05.678Z",
    "20240115",
    "yesterday",
    "2024-13-01",
    "9999-12-31T23:59:59-14:00",
    "\u0662\u0660\u0662\u0664-01-01",
    "1709290000000",
    "",
)
DATES = st.sampled_from(DATE_TEXTS) | st.datetimes(timezones=st.none() | st.timezones()).map(
    lambda moment: moment.isoformat()
)
ODD_TEXTS = (
    *(' "85" ', "1,054", "12.9", "-0.5", "1e3", "NaN", "\u0663", "'true'", "Yes", "0", "FALSE", '["a","b"]'),
    *("a, b,,c", '[{"S":"AI"},{"N":"7"}]', '[{"S":"AI"},{"x":"y"}]', '{"a":1}', "[1.50, 1e400, null]"),
    *('["\\ud800"]', "[" * 40 + "]" * 40, "[NaN]", " ", "", "#", "2024-01#x"),
)
DIRTY_TEXTS = st.one_of(TEXTS, DATES, NUMBERS, st.sampled_from(ODD_TEXTS))


def sets(tag: str, elements: st.SearchStrategy[str]) -> st.SearchStrategy[AttributeValue]:
    """A set type, in any order."""
    return st.lists(elements, min_size=1, max_size=4, unique=True).map(lambda members: {tag: members})


SCALARS: st.SearchStrategy[AttributeValue] = st.one_of(
    DIRTY_TEXTS.map(lambda text: {"S": text}),
    NUMBERS.map(lambda digits: {"N": digits}),
    BINARIES.map(lambda content: {"B": content}),
    st.booleans().map(lambda content: {"BOOL": content}),
    st.just({"NULL": True}),
    sets("SS", TEXTS),
    sets("NS", st.integers(-9, 99).map(str)),
    sets("BS", BINARIES),
)


def _containers(inner: st.SearchStrategy[AttributeValue]) -> st.SearchStrategy[AttributeValue]:
    lists = st.lists(inner | inner.map(marshalled), max_size=3).map(lambda elements: {"L": elements})
    maps = st.dictionaries(st.sampled_from(["id", "name", "color", "order", "S", "x"]), inner, max_size=3)
    return lists | maps.map(lambda content: {"M": content})


VALUES: st.SearchStrategy[AttributeValue] = st.recursive(SCALARS, _containers, max_leaves=6)
"""Any of the ten attribute types."""

MAPS = st.dictionaries(st.sampled_from(["S", "M", "a"]), VALUES, max_size=2).map(lambda content: {"M": content})
MARSHALLED_LISTS = st.lists(VALUES.map(marshalled) | VALUES, max_size=3).map(lambda elements: {"L": elements})
"""Lists whose elements are marshalled twice, some or all."""

EPOCHS = st.integers(-62_135_596_801, 253_402_300_800).map(str) | st.sampled_from(["0", "1709290000.5", "-0.1"])
"""Seconds since 1970 in the years 1 to 9999, and just outside."""

IDENTITIES = st.one_of(
    TEXTS.filter(bool), st.sampled_from(["7", "a#b", "#", "2024-01#7", "LEAD#7", "{id}", "é", "日本"])
)


@st.composite
def items(draw: Any, mapping: Mapping, entity_name: str | None = None) -> Item:
    """An old item of the mapping: mapped attributes clean, dirty or absent, under any of their names; and unmapped ones."""
    entity = mapping.entities[entity_name or draw(st.sampled_from(sorted(mapping.entities)))]
    item: Item = entity.constants()
    for rule in entity.rules:
        item |= draw(_originals(rule))
    item |= draw(_others(mapping, entity))
    fields = _identity(entity, item)
    fields |= {
        rule.name: draw(_in_key(entity.separator, rule.type)) for rule in entity.rules if rule.in_key is not None
    }
    item |= {name: template.value(fields) for name, template in entity.old_key.items()}
    for name, template in entity.old_made.items():
        item |= draw(_made(name, template.value_or_none(entity.fields_of(item))))
    return {name: item[name] for name in sorted(item, reverse=draw(st.booleans()))}


def mappable(mapping: Mapping, item: Item) -> bool:
    """Whether the item has a v2 item (a generated one may nest too deeply once its residue is counted)."""
    try:
        forward(mapping, item)
    except Poison:
        return False
    return True


def stored(value: Any) -> Any:
    """A value as DynamoDB may return it: numbers in normal form, sets in another order."""
    if isinstance(value, list):
        return [stored(element) for element in value]
    if not isinstance(value, dict):
        return value
    return {tag: _stored_content(tag, content) for tag, content in value.items()}


def _stored_content(tag: str, content: Any) -> Any:
    if tag == "N" and isinstance(content, str) and "." in content:
        return content.rstrip("0").rstrip(".")
    if tag in ("SS", "NS", "BS") and isinstance(content, list):
        return list(reversed(content))
    return stored(content)


@cache  # building a strategy costs more than drawing from it
def _originals(rule: FieldRule) -> st.SearchStrategy[Item]:
    if rule.in_key is not None:
        return st.just({})
    if rule.required:
        numbers = st.integers(0, 99).map(lambda number: {"N": str(number)})
        values = numbers if rule.type in ("int", "number") else IDENTITIES.map(lambda text: {"S": text}) | numbers
        return st.sampled_from(rule.names).flatmap(lambda name: st.fixed_dictionaries({name: values}))
    clean = {
        "int": NUMBERS.map(lambda digits: {"N": digits}),
        "date": DATES.map(lambda text: {"S": text}),
        "epoch": EPOCHS.map(lambda digits: {"N": digits}),
        "epoch_ms": EPOCHS.map(lambda digits: {"N": digits + "000"}),
        "map": MAPS,
        "list": MARSHALLED_LISTS | VALUES,
    }
    values = st.one_of(clean.get(rule.type, VALUES), VALUES, DIRTY_TEXTS.map(lambda text: {"S": text}))
    return st.dictionaries(st.sampled_from(rule.names), values, max_size=len(rule.names))


@cache
def _others(mapping: Mapping, entity: Entity) -> st.SearchStrategy[Item]:
    names = {
        *entity.reserved,
        "custom_fields",
        "notes",
        "Status",
        "rest",
        "PK",
        "GSI2PK",
        "_sync",
        "日",
        "a.b",
        "#x",
    }
    return st.dictionaries(st.sampled_from(sorted(names - entity.own - {*mapping.old.key_names})), VALUES, max_size=3)


@cache
def _in_key(separator: str | None, kind: str) -> st.SearchStrategy[AttributeValue]:
    """The value of a field that is only in the old key."""
    if kind == "int":
        return st.integers(0, 99).map(lambda number: {"N": str(number)})
    return IDENTITIES.filter(lambda text: separator is None or separator not in text).map(lambda text: {"S": text})


def _made(name: str, made: AttributeValue | None) -> st.SearchStrategy[Item]:
    """An attribute that is made of others: as its template makes it, or otherwise, or absent."""
    right: Item = {} if made is None else {name: made}
    return st.just(right) | st.just({}) | VALUES.map(lambda value: {name: value})


def _identity(entity: Entity, item: Item) -> Item:
    fields: Item = {}
    for rule in (rule for rule in entity.key_rules if rule.in_key is None):
        value = rule.value(item, fields)
        if value is not None:
            fields[rule.name] = value
    return fields
