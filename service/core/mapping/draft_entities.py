"""Drafts one entity of a mapping from the items of its kind: its keys, its indexes, and the fields that these need."""

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from service.core.item.numbers import parse_number
from service.core.item.wire import Item
from service.core.mapping.convert import is_absent
from service.core.mapping.draft_constants import Others
from service.core.mapping.draft_keys import KeyDraft, is_key_like, key_draft
from service.core.mapping.draft_kinds import Kind, Kinds, Table
from service.core.mapping.draft_templates import Made, Values, made_template, texts_of
from service.core.mapping.template import parse_template

TYPE_WORDS = {
    "S": "string", "N": "number", "B": "binary", "BOOL": "boolean", "L": "list", "M": "map", "NULL": "null",
    "SS": "set of strings", "NS": "set of numbers", "BS": "set of binaries",
}  # fmt: skip
IndexKeys = Mapping[str, Sequence[str]]
"""The attributes in the key of each index, that of its partition key first."""
_MADE_NAME = re.compile(
    r"(?i:(gsi|lsi|gs|ls|index|idx)[-_]?\d.*|(gsi|lsi).*|.+[-_\d][ps]k|.+[-_](hash|range))|.*[a-z0-9]([PS]K|[PS]k)"
)


@dataclass(frozen=True)
class FieldDraft:
    """A field."""

    type: str
    required: bool
    only_in_key: bool = False
    doubt: str = ""


@dataclass
class EntityDraft:
    """An entity."""

    kind: Kind
    key: KeyDraft
    values: Values
    separator: str | None
    made: dict[str, Made] = field(default_factory=dict)
    when: dict[str, str] = field(default_factory=dict)
    fields: dict[str, FieldDraft] = field(default_factory=dict)
    v2_key: list[str] | dict[str, str] = field(default_factory=list)
    indexes: dict[str, list[str] | dict[str, str]] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    """About its indexes."""


def looks_made(name: str) -> bool:
    """Whether an attribute is called like the key of an index, ``GSI1PK`` or ``gs1sk``."""
    return _MADE_NAME.fullmatch(name) is not None


def entity_draft(table: Table, kind: Kind, kinds: Kinds, others: Others | None = None) -> EntityDraft:
    """The entity of ``kind``, as far as its old key. ``others``: by which the constants in it are judged."""
    entity, separator = kinds.entity, kinds.separator
    beside = {*table.key_names, *table.index_names} | ({entity} if entity is not None else set())
    names = [name for name in dict.fromkeys(name for item in kind.items for name in item) if name not in beside]
    values = Values(kind.items, texts_of(kind.items, names, frozenset({"S", "N"})))
    values.natural = frozenset(name for name in table.key_names if not is_key_like(name))
    key = key_draft(table, kind, values, separator, others)
    values.texts |= texts_of(kind.items, names, frozenset({"BOOL"}))
    return EntityDraft(kind, key, values, separator)


def complete(draft: EntityDraft, table: Table, indexes: IndexKeys) -> None:
    """Draft its index attributes, v2 key, indexes and fields."""
    attributes = dict.fromkeys(name for names in indexes.values() for name in names)
    for name in sorted(attributes, key=looks_made):  # what a plain one is made of is no part of others
        if name not in table.key_names and any(name in item for item in draft.kind.items):
            draft.made[name] = _made(draft, name)
    ids = _names_in(draft.key.templates[name] for name in table.key_names)
    draft.v2_key = _v2_key(draft, table, ids)
    for index, names in indexes.items():
        _add_index(draft, index, names, ids)
    templates = [*draft.key.templates.values(), *(one.template for one in draft.made.values() if one.template)]
    own = [name for name, made in draft.made.items() if made.template is None]
    for name in dict.fromkeys([*_names_in(templates), *own]):
        draft.fields[name] = _field(draft, name, templates)


def _made(draft: EntityDraft, name: str) -> Made:
    if name in draft.values.used:
        return Made(None)
    if looks_made(name):
        return made_template(draft.values, name, draft.separator)
    without = {other: texts for other, texts in draft.values.texts.items() if other != name}
    made = made_template(replace(draft.values, texts=without), name, draft.separator)
    plain = made.template is None or len(parse_template(made.template).parts) < 2
    if plain:
        return Made(None)
    del draft.values.texts[name]
    return made


def _names_in(templates: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(one.name for text in templates for one in parse_template(text).placeholders))


def _v2_key(draft: EntityDraft, table: Table, ids: list[str]) -> list[str] | dict[str, str]:
    if len(ids) <= 2:
        return ids
    found: dict[str, str] = {}
    before: list[str] = []
    for attribute, wanted in zip(table.key_names, ("partition", "sort"), strict=False):
        names = [name for name in _names_in([draft.key.templates[attribute]]) if name not in before]
        before += names
        if names:
            found[_free(draft, f"{wanted}_key")] = joined(draft, names)
    return found


def joined(draft: EntityDraft, names: Sequence[str]) -> str:
    """A template of the values, separated; it makes nothing where one of them may be absent, as index attributes may."""
    own = {name for name, made in draft.made.items() if made.template is None}
    return (draft.separator or "#").join(
        f"{{{name}}}" if draft.values.complete(name) and name not in own else f"{{{name}?}}" for name in names
    )


def _free(draft: EntityDraft, wanted: str) -> str:
    taken = {name for item in draft.kind.items for name in item} | draft.values.texts.keys()
    while wanted in taken:
        wanted = f"v2_{wanted}"
    return wanted


def _add_index(draft: EntityDraft, index: str, attributes: Sequence[str], ids: list[str]) -> None:
    if not all(any(name in item for item in draft.kind.items) for name in attributes):
        return
    first, *others = (_values_in(draft, name) for name in attributes)
    rest = [name for name in dict.fromkeys(name for names in others for name in names) if name not in first]
    if not first:
        first, rest = rest[:1], rest[1:]
    if not first:
        draft.notes.append(f"{index}: made of constants only, so v2 has no index for it")
    elif first == ids[:1] and rest in ([], ids[1:]):
        draft.notes.append(f"{index}: v2's key finds the same")
    else:
        draft.indexes[index] = _index_key(draft, index, first, rest)


def _values_in(draft: EntityDraft, attribute: str) -> list[str]:
    if attribute in draft.key.templates:
        return _names_in([draft.key.templates[attribute]])
    template = draft.made[attribute].template
    return [attribute] if template is None else _names_in([template])


def _index_key(draft: EntityDraft, index: str, first: list[str], rest: list[str]) -> list[str] | dict[str, str]:
    for name in (*first, *rest):
        if name not in draft.values.texts:  # an index attribute that is a field of its own
            draft.values.texts |= {name: [None if is_absent(item.get(name)) else "" for item in draft.kind.items]}
    if len(first) == 1 and len(rest) <= 1 and not any(_is_boolean(draft, name) for name in (*first, *rest)):
        return first + rest
    found = {_free(draft, f"{index}_pk"): joined(draft, first)}
    return {**found, _free(draft, f"{index}_sk"): joined(draft, rest)} if rest else found


def _is_boolean(draft: EntityDraft, name: str) -> bool:
    return any("BOOL" in item.get(name, {}) for item in draft.kind.items)


def _field(draft: EntityDraft, name: str, templates: Sequence[str]) -> FieldDraft:
    items, total = draft.kind.items, len(draft.kind.items)
    if name in draft.values.in_key:
        return FieldDraft(_type_in_key(draft, name), required=True, only_in_key=True)
    having = [item for item in items if not is_absent(item.get(name))]
    types = Counter(next(iter(item[name])) for item in having)
    dated = any(
        one.name == name and one.modifier == "month" for text in templates for one in parse_template(text).placeholders
    )
    doubts = [f"{total - len(having)} of {total} items have no {name}"] if len(having) < total else []
    if len(types) > 1:
        doubts.append(", ".join(f"{count} are {TYPE_WORDS[kind]}" for kind, count in types.most_common()))
    made = draft.made.get(name)
    if made is not None and made.doubt:
        doubts.append(f"no template found: {made.doubt}")
    kind = "date" if dated else _type(having, name, types)
    needed = made is None or name in _names_in(templates)
    return FieldDraft(kind, required=len(having) == total and needed, doubt="; ".join(doubts))


def _type_in_key(draft: EntityDraft, name: str) -> str:
    for attribute, template in draft.key.templates.items():
        kind = next(iter(draft.kind.items[0][attribute]))
        if kind != "S" and template == f"{{{name}}}":
            return TYPE_WORDS[kind]
    return "string"


def _type(having: Sequence[Item], name: str, types: Counter[str]) -> str:
    if types.keys() != {"N"}:
        return TYPE_WORDS[next(iter(types))] if len(types) == 1 else "string"
    numbers = [parse_number(item[name]["N"]) for item in having]
    return "int" if all(number is not None and number == number.to_integral_value() for number in numbers) else "number"
