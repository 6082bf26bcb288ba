"""Drafts a mapping from a sample of a table: the text of a mapping file, with its doubts as comments.

From the items to the text: ``draft_kinds`` sorts them into kinds (by ``draft_shapes``), ``draft_keys`` reads the key of each kind
(``draft_constants`` judges what is constant in it), ``draft_entities`` drafts its indexes and fields (by ``draft_templates``),
``draft_text`` writes the file.
"""

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from itertools import combinations

from service.core.item.wire import Item
from service.core.mapping.draft_constants import Others
from service.core.mapping.draft_entities import (
    EntityDraft,
    IndexKeys,
    complete,
    entity_draft,
    looks_made,
)
from service.core.mapping.draft_kinds import Kind, Kinds, Table, kinds_of
from service.core.mapping.draft_text import DraftText, mapping_text
from service.core.mapping.key_pattern import are_disjoint
from service.core.mapping.template import parse_template
from service.errors import Misconfigured

MAX_KINDS = 100
"""Of kinds in one draft: with more, something that is a value was taken for the name of a kind."""
_GENERIC = frozenset({"metadata", "meta", "info", "data", "record", "item", "details", "root", "a"})
_PLAIN_PLACEHOLDER = re.compile(r"(?<!\{)\{(?P<name>[^{}|:?]+)(?P<optional>\??)\}(?!\})")
_INDEX_PART = re.compile(r"(?P<index>.*?)[-_]?(?P<part>pk|sk|hash|range|partition|sort)(?:[-_]?key)?", re.IGNORECASE)


def draft(items: Sequence[Item], key_names: Sequence[str], index_keys: IndexKeys, name: str) -> str:
    """A mapping of the table ``name`` with these key attributes (the partition key's first), and these in the keys of its indexes.

    Where ``index_keys`` is empty, attributes that are called like the keys of indexes are taken for them. Raises Misconfigured
    for a sample without items, without these keys, or with more than MAX_KINDS kinds.
    """
    _require(items, key_names)
    indexes = index_keys or guessed_indexes(items, key_names)
    made = frozenset(one for names in indexes.values() for one in names if looks_made(one)) - set(key_names)
    table = Table(items, key_names, made)
    kinds = kinds_of(table)
    if len(kinds.kinds) > MAX_KINDS:
        raise Misconfigured(
            f"the sample has {len(kinds.kinds)} kinds of items by their keys; a draft has at most {MAX_KINDS}",
            remedy="write the mapping by hand, after a design of docs/mapping/cookbook.md",
        )
    entities = _told_apart(table, kinds)
    _with_constants_judged(table, kinds, entities)
    _name(entities, kinds.entity)
    for entity in entities:
        complete(entity, table, indexes)
    _keep_case(entities)
    return mapping_text(DraftText(table, kinds, entities, name))


def guessed_indexes(items: Iterable[Item], key_names: Sequence[str]) -> dict[str, list[str]]:
    """Indexes of which only the names of attributes are known, such as ``GSI1PK`` and ``GSI1SK``."""
    names = dict.fromkeys(name for item in items for name in item if name not in key_names)
    found: dict[str, list[str]] = {}
    partitions: set[str] = set()
    for name in names:
        match = _INDEX_PART.fullmatch(name)
        if match is not None and looks_made(name):
            index = re.sub("[^A-Za-z0-9_.-]", "-", match["index"])
            index = index if len(index) >= 3 else f"index-{index}"
            place = 0 if match["part"].lower() in ("pk", "hash", "partition") else 1
            found.setdefault(index, [])
            found[index].insert(place, name)
            partitions |= {index} if place == 0 else set()
    shared = {index: found.pop(index) for index in list(found) if index not in partitions}
    for index, attributes in shared.items():  # GSISK, beside GSI1PK and GSI2PK
        for other in (one for one in partitions if one.startswith(index)):
            found[other] += attributes
    return found


def _require(items: Sequence[Item], key_names: Sequence[str]) -> None:
    if not items:
        raise Misconfigured(
            "the sample has no items, so nothing can be drafted", remedy="give a table or file with items"
        )
    for number, item in enumerate(items, 1):
        for name in key_names:
            if next(iter(item.get(name, {})), "") not in ("S", "N", "B"):
                raise Misconfigured(
                    f"item {number} of the sample has no key attribute {name}", remedy="name the key with --key"
                )


def _told_apart(table: Table, kinds: Kinds) -> list[EntityDraft]:
    """A draft for each kind; kinds that neither their keys nor an attribute tell apart become one."""
    drafts = [entity_draft(table, kind, kinds) for kind in kinds.kinds]
    while True:
        pair = next((pair for pair in combinations(drafts, 2) if not _differ(pair, kinds)), None)
        if pair is None:
            return drafts
        first, second = pair
        both = Kind(
            "", [*first.kind.items, *second.kind.items], [*first.kind.parts, *second.kind.parts], first.kind.named
        )
        drafts = [one for one in drafts if one not in (first, second)]
        drafts.append(entity_draft(table, both, kinds))


def _with_constants_judged(table: Table, kinds: Kinds, drafts: list[EntityDraft]) -> None:
    """Constants in keys that are values become fields, as far as the keys still tell the kinds apart."""
    for place, draft in enumerate(drafts):
        others = [one for one in drafts if one is not draft]
        beside = [one.kind for one in others]
        opened = entity_draft(table, draft.kind, kinds, Others(beside, may_open=True))
        if not all(_differ((opened, one), kinds) for one in others):
            opened = entity_draft(table, draft.kind, kinds, Others(beside, may_open=False))
        drafts[place] = opened


def _differ(pair: tuple[EntityDraft, EntityDraft], kinds: Kinds) -> bool:
    first, second = pair
    if first.kind.named != second.kind.named:
        return True
    here, there = first.key.templates, second.key.templates
    return any(are_disjoint(parse_template(here[name]), parse_template(there[name]), kinds.separator) for name in here)


def _keep_case(entities: list[EntityDraft]) -> None:
    """Where one key of the table is in small letters, all are: also of values that happen to have no others in the sample."""
    texts = [text for one in entities for text in _templates(one)]
    for modifier, change in (("lower", str.lower), ("upper", str.upper)):
        if any(f":{modifier}}}" in text or f":{modifier}?}}" in text for text in texts):
            for entity in entities:
                _in_case(entity, modifier, change)


def _templates(entity: EntityDraft) -> list[str]:
    return [*entity.key.templates.values(), *(one.template for one in entity.made.values() if one.template)]


def _in_case(entity: EntityDraft, modifier: str, change: Callable[[str], str]) -> None:
    def with_modifier(found: re.Match[str]) -> str:
        name = found["name"]
        same = all(text is None or text == change(text) for text in entity.values.texts[name])
        plain = name in entity.values.in_key or not all("S" in one[name] for one in entity.kind.items if name in one)
        return f"{{{name}:{modifier}{found['optional']}}}" if same and not plain else found[0]

    def changed(text: str) -> str:
        return _PLAIN_PLACEHOLDER.sub(with_modifier, text)

    entity.key.templates.update({name: changed(text) for name, text in entity.key.templates.items()})
    entity.made.update(
        {name: replace(one, template=changed(one.template)) for name, one in entity.made.items() if one.template}
    )


def _name(entities: list[EntityDraft], attribute: str | None) -> None:
    """An entity has the name that ``attribute`` gives it, or one after the words in its key; one with a `when` has a number too."""
    taken = set[str]()
    values = [entity.kind.named for entity in entities]
    for entity in entities:
        named = entity.kind.named
        alone = named is not None and values.count(named) == 1
        name = (named or _of_words(entity)) if named is None or alone else f"{named}_1"
        stem, number = name.removesuffix("_1") if named is not None and not alone else name, 1
        while name in taken or (not alone and name in values):
            number += 1
            name = f"{stem}_{number}"
        taken.add(name)
        entity.kind.name = name
        if named is not None and attribute is not None and name != named:
            entity.when = {attribute: named}


def _of_words(entity: EntityDraft) -> str:
    plain = [re.sub(r"_?v?\d+$", "", re.sub("[^a-z0-9]+", "_", word.lower()).strip("_")) for word in entity.key.words]
    words = [word for word in dict.fromkeys(plain) if word and word not in _GENERIC]
    if words:
        return "_".join(words)[:60]
    first = entity.values.used[0]
    return re.sub("_?id$", "", first, flags=re.IGNORECASE) or first
