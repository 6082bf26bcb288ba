"""Doubts about whole kinds of items in a draft: whether they may stay behind, and whether they are kinds at all."""

from collections import defaultdict
from collections.abc import Sequence

from service.core.item.wire import Item
from service.core.mapping.convert import text_of
from service.core.mapping.draft_kinds import Kind, Table, leave_out_pattern, says_unique
from service.core.mapping.draft_shapes import beginning

FEW_ATTRIBUTES = 4
"""An item that only keeps a value unique has at most so many beside its key."""

MANY_NAMES = 3
"""Of so many kinds with keys of one shape, it is doubted that they are kinds."""


def patterns_to_leave_out(table: Table, entity: str | None, kind: Kind, others: Sequence[Kind]) -> list[dict[str, str]]:
    """Of a kind whose items seem only to keep a value unique or to be locks: by the words in their keys, or as each says only what
    one item under another key says too. Empty: they do not seem so. ``entity``: the attribute that names the kinds."""
    words = {*_words(kind), kind.named or ""}
    if not any(map(says_unique, words)) and not _only_repeats(table, entity, kind, others):
        return []
    kept = [item for other in others for item in other.items]
    patterns = dict.fromkeys(leave_out_pattern(table, entity, kept, item) for item in kind.items)
    return [{name: text} for name, text in patterns]


def event_types(kinds: Sequence[Kind]) -> str:
    """A doubt where many names of kinds have keys of one shape and are together under one partition key, as the types of the events
    of one stream are; otherwise empty."""
    looks: dict[object, dict[tuple[str, ...], set[str | None]]] = defaultdict(lambda: defaultdict(set))
    for kind in kinds:
        for key in kind.parts:
            looks[beginning(key)][key[0]].add(kind.named)
    for names in looks.values():
        found = set.union(*names.values())
        if len(found) >= MANY_NAMES and any(len(together) > 1 for together in names.values()):
            return (
                f"{len(found)} of its values have keys of one shape: may it tell an event's type, not a kind of item?"
            )
    return ""


def _words(kind: Kind) -> set[str]:
    """What the keys of all its items have."""
    return set.intersection(*({part for attribute in key for part in attribute} for key in kind.parts))


def _only_repeats(table: Table, entity: str | None, kind: Kind, others: Sequence[Kind]) -> bool:
    beside = {*table.key_names, *table.index_names, entity}
    names = sorted(kind.items[0].keys() - beside)
    if len(kind.items) < 2 or not 1 <= len(names) <= FEW_ATTRIBUTES:
        return False
    said: dict[tuple[str, ...], list[set[str]]] = defaultdict(list)
    for other in others:
        for item, key in zip(other.items, other.parts, strict=True):
            said[_texts(item, names)].append({part for attribute in key for part in attribute})
    words = _words(kind)
    return all(
        item.keys() - beside == set(names)
        and all(_texts(item, names))
        and any(
            keys.isdisjoint({part for attribute in key for part in attribute} - words)
            for keys in said[_texts(item, names)]
        )
        for item, key in zip(kind.items, kind.parts, strict=True)
    )


def _texts(item: Item, names: Sequence[str]) -> tuple[str, ...]:
    return tuple(text_of(item.get(name)) for name in names)
