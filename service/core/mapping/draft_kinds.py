"""Sorts the items of a sample into kinds: by an attribute that names them or by the shapes of their keys, and which stay behind."""

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from service.core.item.wire import Item
from service.core.mapping.convert import is_absent, text_of
from service.core.mapping.draft_shapes import (
    Key,
    Segments,
    Shapes,
    beginning,
    grouped,
    is_word,
    segments_of,
    separator_of,
    signature,
)

KNOWN_NAMES = frozenset(
    {
        "_type",
        "_et",
        "__typename",
        "__edb_e__",
        "__en",
        "entity",
        "entitytype",
        "kind",
        "itemtype",
        "recordtype",
        "type",
    }
)
"""Attributes by which libraries and applications name the kind of an item, in small letters without ``_`` inside."""
NAMED_SHARE = 0.95
"""Of the items, at least: so many must have the attribute that names their kind."""
MAX_NAMES = 200
_UNIQUE = re.compile("(?<![a-z])(uniq|(locks?|mutex|semaphore)(?![a-z]))", re.IGNORECASE)


@dataclass(frozen=True)
class Table:
    """A sample, and what is known of its table."""

    items: Sequence[Item]
    key_names: Sequence[str]
    index_names: frozenset[str]
    """The attributes in the keys of its indexes, beside those of its own key."""


@dataclass
class Kind:
    """Items of one kind."""

    name: str
    items: list[Item]
    parts: list[Segments]
    """Of the keys of the items."""
    named: str | None = None
    """The value of the attribute that names the kind."""


@dataclass
class Kinds:
    """How the items of a sample fall into kinds."""

    separator: str | None
    entity: str | None = None
    """The attribute that names an item's kind."""
    untaken: str = ""
    """Why an attribute with the name of one that names kinds was not taken; empty: one was, or none has such a name."""
    kinds: list[Kind] = field(default_factory=list)
    left_out: list[tuple[dict[str, str], int]] = field(default_factory=list)
    """Patterns of items that stay behind, each with the number of items that it names."""
    nameless: int = 0
    """Items without the attribute that names the kinds: no kind has them."""


def key_of(table: Table, item: Item) -> Key:
    """The values of an item's key attributes as text."""
    return tuple(str(next(iter(item[name].values()))) for name in table.key_names)


def kinds_of(table: Table) -> Kinds:
    """The kinds of items in the sample."""
    texts = [name for name in table.key_names if "S" in table.items[0][name]]
    separator = separator_of([tuple(item[name].get("S", "") for name in texts) for item in table.items])
    parts = [_parts(table, item, separator) for item in table.items]
    behind = _behind(table, parts)
    left = [place for place in range(len(parts)) if place not in behind]
    entity, untaken = _entity(table, [table.items[place] for place in left], [parts[place] for place in left])
    found = Kinds(separator, entity, untaken)
    found.left_out = _patterns(table, entity, sorted(behind))
    named, kept = _by_name(table, entity, parts, left)
    found.nameless = len(left) - len(kept)
    for group in named if entity is not None else _by_shape(table, parts, left):
        kind = Kind("", [table.items[place] for place in group], [parts[place] for place in group])
        kind.named = None if entity is None else table.items[group[0]][entity]["S"]
        found.kinds.append(kind)
    return found


def _parts(table: Table, item: Item, separator: str | None) -> Segments:
    """The parts of its key; numbers and binaries are one part each."""
    whole, split = key_of(table, item), segments_of(key_of(table, item), separator)
    return tuple(
        parts if "S" in item[name] else (text,) for name, text, parts in zip(table.key_names, whole, split, strict=True)
    )


def _by_name(
    table: Table, entity: str | None, parts: Sequence[Segments], left: list[int]
) -> tuple[list[list[int]], list[int]]:
    """Groups by the value of ``entity`` and the signature of the key; and the items that have the attribute."""
    if entity is None:
        return [], left
    kept = [place for place in left if _name_of(table.items[place], entity)]
    return grouped(kept, lambda place: (table.items[place][entity]["S"], signature(parts[place]))), kept


def _by_shape(table: Table, parts: Sequence[Segments], left: list[int]) -> list[list[int]]:
    beside = {*table.key_names, *table.index_names}
    names = [frozenset(table.items[place].keys() - beside) for place in left]
    texts = [{text_of(item[name]) for name in item.keys() - beside} for item in (table.items[place] for place in left)]

    def repeated(group: Sequence[int], tokens: Sequence[str]) -> bool:
        return all(token in texts[place] for place, token in zip(group, tokens, strict=True))

    shapes = Shapes([parts[place] for place in left], names, repeated)
    return [[left[place] for place in group] for group in shapes.kinds()]


def _name_of(item: Item, attribute: str) -> str:
    return str(item.get(attribute, {}).get("S", ""))


def _entity(table: Table, items: Sequence[Item], parts: Sequence[Segments]) -> tuple[str | None, str]:
    """The attribute that names an item's kind: nearly all have it, and its value decides how the key looks. Where there is none:
    why not the one with such a name that most items have."""
    counts = Counter(name for item in items for name, value in item.items() if value.get("S"))
    beside = {*table.key_names, *table.index_names}
    names = [name for name in counts if name not in beside]
    names.sort(key=lambda name: (not names_kinds(name), -counts[name] if names_kinds(name) else 0))
    reasons = {name: _why_not(name, items, parts) for name in names if counts[name] >= NAMED_SHARE * len(items)}
    taken = next((name for name, reason in reasons.items() if not reason), None)
    known = next((name for name in names if names_kinds(name)), None)
    if taken is not None or known is None:
        return taken, ""
    lacking = f"{len(items) - counts[known]} of {len(items)} items do not have it as text"
    return None, f"{known} does not name the kinds here: {reasons.get(known, lacking)}"


def names_kinds(name: str) -> bool:
    """Whether libraries and applications call so the attribute that names the kind of an item."""
    plain = name.lower()
    return plain in KNOWN_NAMES or re.sub("[_-]", "", plain) in KNOWN_NAMES


def _why_not(name: str, items: Sequence[Item], parts: Sequence[Segments]) -> str:
    """Why the attribute does not name the kinds; empty: it does."""
    looks: dict[str, Counter[tuple[object, ...]]] = defaultdict(Counter)
    for item, key in zip(items, parts, strict=True):
        if value := _name_of(item, name):
            looks[value][beginning(key)] += 1
    usual = {value: counts.most_common(1)[0] for value, counts in looks.items()}
    if len(looks) > min(MAX_NAMES, max(2, len(items) / 2)):
        return f"it has {len(looks)} values in {len(items)} items"
    for value, (_, count) in usual.items():
        total = looks[value].total()
        if count < NAMED_SHARE * total:
            return f"of {total} items with {value!r}, {total - count} have a key of another shape than the others"
    distinct = len({look for look, _ in usual.values()})
    if distinct > 1 if names_kinds(name) else distinct == len(usual) > 1:
        return ""
    one = names_kinds(name) and len(usual) == 1
    return "" if one else f"its {len(usual)} values do not decide how the key looks"


def _behind(table: Table, parts: Sequence[Segments]) -> set[int]:
    """The items that only keep a value unique, or are locks: they have nothing beside their key and the name of their kind."""
    beside = {*table.key_names, *table.index_names}
    bare = [place for place, item in enumerate(table.items) if _is_bare(item, beside)]
    if not bare or len(bare) == len(parts):
        return set()
    full = set(range(len(parts))) - set(bare)
    texts = {text_of(table.items[place][name]) for place in full for name in table.items[place].keys() - beside}
    keys = {part for place in full for attribute in parts[place] for part in attribute}
    found = set[int]()
    for group in grouped(bare, lambda place: beginning(parts[place])):
        own = [{part for attribute in parts[place] for part in attribute} - {""} for place in group]
        words = " ".join(part for attribute in parts[group[0]] for part in attribute if is_word(part))
        only_says = all((one - keys) & texts for one in own) and not any(_values(one) & keys for one in own)
        if only_says or says_unique(words):
            found |= set(group)
    return found


def says_unique(words: str) -> bool:
    """Whether the words in a key say that the item keeps a value unique or is a lock, as ``LOCK`` does and ``BLOCK`` does not."""
    return _UNIQUE.search(words) is not None


def _is_bare(item: Item, beside: set[str]) -> bool:
    names = [name for name in item if name not in beside]
    return not names or (len(names) == 1 and names_kinds(names[0]) and "S" in item[names[0]])


def _values(parts: Iterable[str]) -> set[str]:
    return {part for part in parts if not is_word(part)}


def _patterns(table: Table, entity: str | None, behind: list[int]) -> list[tuple[dict[str, str], int]]:
    """Of the items that stay behind: by the name of their kind, where no others have it, else by what their keys begin with."""
    kept = [item for place, item in enumerate(table.items) if place not in set(behind)]
    found: dict[tuple[str, str], int] = Counter()
    for place in behind:
        found[leave_out_pattern(table, entity, kept, table.items[place])] += 1
    return [({name: text}, count) for (name, text), count in found.items()]


def leave_out_pattern(table: Table, entity: str | None, kept: Sequence[Item], item: Item) -> tuple[str, str]:
    """An attribute and what it begins with, or is, in ``item`` and in none of those that are ``kept``."""
    named = "" if entity is None else _name_of(item, entity)
    if entity is not None and named and not any(_name_of(other, entity) == named for other in kept):
        return entity, named
    text = key_of(table, item)[0]
    first = re.match(r"[^A-Za-z0-9]*[A-Za-z_.$-]+[^A-Za-z0-9]?", text)
    begins = first[0] if first is not None else text
    name = table.key_names[0]
    taken = any(str(next(iter(other[name].values()))).startswith(begins) for other in kept)
    return name, text if taken or is_absent(item[name]) or begins == text else f"{begins}*"
