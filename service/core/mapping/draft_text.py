"""Writes a drafted mapping as YAML, each doubt as a comment on the line that it is about."""

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from service.core.item.wire import AttributeValue
from service.core.mapping.draft_doubts import event_types, patterns_to_leave_out
from service.core.mapping.draft_entities import TYPE_WORDS, EntityDraft, FieldDraft
from service.core.mapping.draft_kinds import Kinds, Table
from service.core.mapping.schema import MAPPING_NAME, TABLE_NAME

LISTED = 12
"""Attributes that one comment lists."""
_PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]*")
_PLACEHOLDER = re.compile(r"\{[^{}]*\}")
_TELLS = re.compile("^_|type|kind|entity|version|schema|model", re.IGNORECASE)
"""The names of attributes that may tell the kind of an item."""
_WORDS = frozenset({"true", "false", "yes", "no", "on", "off", "null", "y", "n"})
_UNPRINTABLE = re.compile("[\x7f-\x9f\u2028\u2029\ud800-\udfff\ufeff\ufffe\uffff]")


@dataclass(frozen=True)
class DraftText:
    """What the file is made of."""

    table: Table
    kinds: Kinds
    entities: list[EntityDraft]
    name: str
    """Of the old table."""


def quoted(text: str) -> str:
    """A text as YAML, in one line."""
    if _PLAIN.fullmatch(text) and text.lower() not in _WORDS:
        return text
    return _UNPRINTABLE.sub(lambda found: f"\\u{ord(found[0]):04x}", json.dumps(text, ensure_ascii=False))


def mapping_text(draft: DraftText) -> str:
    """The text of the mapping file."""
    return "\n".join(_lines(draft)) + "\n"


def _lines(draft: DraftText) -> Iterator[str]:
    yield f"# Drafted from {len(draft.table.items)} items of {_said(draft.name)}. Read each comment, and change what is wrong."
    if draft.kinds.nameless:
        yield f"# {draft.kinds.nameless} items have no {_said(draft.kinds.entity or '')}: no entity has them."
    if draft.kinds.untaken:
        yield f"# {_one_line(draft.kinds.untaken)}. The shapes of keys tell the kinds."
    yield "version: 2"
    yield f"name: {quoted(mapping_name(draft.name))}"
    yield ""
    yield from _old(draft)
    yield ""
    yield "entities:"
    tables = table_names(draft)
    for entity, table in zip(draft.entities, tables, strict=True):
        yield from _entity(draft, entity, table)


def _said(text: str) -> str:
    """A text of the table in a comment."""
    return quoted(text[:80])


def mapping_name(name: str) -> str:
    """A name for the mapping of the table ``name``."""
    plain = re.sub("[^a-z0-9_-]+", "-", name.lower()).strip("-_")[:63]
    return plain if re.fullmatch(MAPPING_NAME, plain) else "drafted"


def table_names(draft: DraftText) -> list[str]:
    """The names of the v2 tables: the mapping's with the plural of the kind behind it."""
    found: list[str] = []
    for entity in draft.entities:
        kind = re.sub("[^a-z0-9.]+", "-", entity.kind.name.lower()).strip("-._") or "items"
        name = stem = f"{mapping_name(draft.name)}-{_plural(kind)}"[:240]
        number = 1
        while name in (*found, _old_table(draft.name)):
            number += 1
            name = f"{stem}-{number}"
        found.append(name)
    return found


def _plural(word: str) -> str:
    if re.search("[^aeiou]y$", word):
        return f"{word[:-1]}ies"
    return f"{word}es" if re.search("(s|x|ch|sh)$", word) else f"{word}s"


def _old_table(name: str) -> str:
    return name if re.fullmatch(TABLE_NAME, name) else f"{mapping_name(name)}-table"


def _old(draft: DraftText) -> Iterator[str]:
    table, kinds = draft.table, draft.kinds
    yield "old:"
    yield f"  table: {quoted(_old_table(draft.name))}"
    yield f"  partition_key: {quoted(table.key_names[0])}"
    if len(table.key_names) > 1:
        yield f"  sort_key: {quoted(table.key_names[1])}"
    types = {name: TYPE_WORDS[next(iter(table.items[0][name]))] for name in table.key_names}
    if other := {name: kind for name, kind in types.items() if kind != "string"}:
        yield f"  key_types: {_map(other)}"
    if kinds.entity is not None:
        yield _with(f"  entity: {quoted(kinds.entity)}", event_types(kinds.kinds))
    if kinds.separator is not None:
        yield f"  separator: {quoted(kinds.separator)}  # no value in a key may hold it"
    if kinds.left_out:
        yield "  leave_out:"
        for pattern, count in kinds.left_out:
            yield f"    - {_map(pattern)}  # {count} items seem only to keep a value unique or to lock: may they stay behind?"


def _map(pairs: Mapping[str, str]) -> str:
    return "{" + ", ".join(f"{quoted(name)}: {quoted(text)}" for name, text in pairs.items()) + "}"


def _list_or_map(names: list[str] | dict[str, str]) -> str:
    return "[" + ", ".join(map(quoted, names)) + "]" if isinstance(names, list) else _map(names)


def _entity(draft: DraftText, entity: EntityDraft, table: str) -> Iterator[str]:
    total = len(entity.kind.items)
    yield f"  {quoted(entity.kind.name)}:  # {f'{total} items' if total > 1 else 'one item only'}"
    yield f"    table: {table}"
    yield from _may_stay_behind(draft, entity)
    yield from _told_by(draft, entity)
    yield _with(f"    old_key: {_map(entity.key.templates)}", "; ".join(entity.key.doubts))
    yield from _made(entity)
    yield f"    key: {_list_or_map(entity.v2_key)}"
    if entity.indexes:
        yield "    indexes:"
        for index, names in entity.indexes.items():
            yield f"      {quoted(index)}: {_list_or_map(names)}"
    for note in entity.notes:
        yield f"    # {note}"
    yield "    fields:"
    for name, field in entity.fields.items():
        yield _with(f"      {quoted(name)}: {_field(field)}", field.doubt)
    yield from _others(draft, entity)


def _may_stay_behind(draft: DraftText, entity: EntityDraft) -> Iterator[str]:
    others = [one.kind for one in draft.entities if one is not entity]
    patterns = patterns_to_leave_out(draft.table, draft.kinds.entity, entity.kind, others)
    if patterns:
        yield "    # seems only to keep a value unique or to be a lock: may these items stay behind? Then, in place of this entity:"
        more = f"  and {len(patterns) - LISTED} more" if len(patterns) > LISTED else ""
        yield f"    # leave_out: [{', '.join(map(_map, patterns[:LISTED]))}]{more}"


def _told_by(draft: DraftText, entity: EntityDraft) -> Iterator[str]:
    for other in draft.entities:
        if other is not entity and _is_like(entity, other):
            both = f"[{quoted(entity.kind.named or '')}, {quoted(other.kind.named or '')}]"
            when = f"when: {{{quoted(draft.kinds.entity or '')}: {both}}}"
            yield f"    # {quoted(other.kind.name)} looks the same: `{when}` makes both one entity"
    if entity.when:
        yield f"    when: {_map(entity.when)}  # items of this name have keys of several shapes"
    yield from _constants(draft, entity)


def _made(entity: EntityDraft) -> Iterator[str]:
    made = {name: one for name, one in entity.made.items() if one.template is not None}
    if made:
        yield "    old_made:"
        for name, one in made.items():
            yield _with(f"      {quoted(name)}: {quoted(one.template or '')}", one.doubt)


def _is_like(one: EntityDraft, other: EntityDraft) -> bool:
    """Whether the items of two kinds have keys of one look, and the same attributes."""
    if one.kind.named is None or one.kind.named == other.kind.named:
        return False
    looks = [{name: _PLACEHOLDER.sub("{}", text) for name, text in kind.key.templates.items()} for kind in (one, other)]
    return looks[0] == looks[1] and one.kind.items[0].keys() == other.kind.items[0].keys()


def _with(line: str, doubt: str) -> str:
    return f"{line}  # {_one_line(doubt)}" if doubt else line


def _one_line(text: str) -> str:
    plain = "".join(letter if letter.isprintable() else "?" for letter in text)
    return plain if len(plain) <= 160 else f"{plain[:157]}..."


def _field(field: FieldDraft) -> str:
    required = ", required: true" if field.required else ""
    return f"{{type: {field.type}{required}{', only_in_key: true' if field.only_in_key else ''}}}"


def _constants(draft: DraftText, entity: EntityDraft) -> Iterator[str]:
    """What the kind may be told by too."""
    items = entity.kind.items
    beside = {*draft.table.key_names, *entity.made, draft.kinds.entity}
    names = [name for name in items[0] if name not in beside] if len(items) > 1 else []
    for name in names:
        text = _constant(items[0][name])
        if text is not None and _TELLS.search(name) and all(item.get(name) == items[0][name] for item in items):
            yield f"    # when: {{{quoted(name)}: {text}}}  # so it is in all items: if it tells the kind, v2 need not have it"


def _constant(value: AttributeValue) -> str | None:
    match value:
        case {"S": text} if text and len(text) <= 40:
            return json.dumps(text, ensure_ascii=True)
        case {"N": digits} if digits.lstrip("-").isdigit():
            return str(digits)
        case {"BOOL": truth}:
            return str(truth).lower()
    return None


def _others(draft: DraftText, entity: EntityDraft) -> Iterator[str]:
    beside = {*draft.table.key_names, draft.kinds.entity, *entity.made, *entity.fields}
    found: dict[str, str] = {}
    for item in entity.kind.items:
        found |= {name: TYPE_WORDS.get(next(iter(value)), "") for name, value in item.items() if name not in beside}
    if found:
        yield f"    # as they are, without a field: {_listed(f'{_said(name)} ({kind})' for name, kind in found.items())}"


def _listed(texts: Iterable[str]) -> str:
    all_texts = list(texts)
    more = f", and {len(all_texts) - LISTED} more" if len(all_texts) > LISTED else ""
    return ", ".join(all_texts[:LISTED]) + more
