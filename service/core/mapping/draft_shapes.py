"""The shapes of keys in a sample: what separates their parts, and which items have keys of one shape.

A part of a key is a *word* where the application wrote it (``USER``, ``$office_1``), and a value where it is an item's own.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from typing import TypeVar

SEPARATORS = ("#", "::", "|", "/", "~", "^", "!", ";", ":")
"""The texts that may separate the parts of a key, the likeliest first."""
SEPARATED_SHARE = 0.05
"""Of the keys, at least: a text that fewer of them hold is a part of a value."""
ALIKE_ATTRIBUTES = 0.75
"""Of the names of attributes that two groups of items have, so many are in both when they are of one kind."""
_WORD = re.compile(r"[$@_A-Za-z][A-Za-z_.$ -]*(?:[_v-]\d{1,2})?")
_LABEL = re.compile(r"[$@_A-Za-z][A-Za-z_.$-]*(?:[_v-]\d{1,2})?")
_PREFIX = re.compile(r"([$A-Za-z]{2,}[_=.:-]).+", re.DOTALL)
_NUMBERED = re.compile(r"([A-Za-z]{3,})\d+")

Key = tuple[str, ...]
"""The values of an item's key attributes, as text."""
Segments = tuple[tuple[str, ...], ...]
"""The parts of a key, for each of its attributes."""
T = TypeVar("T")


def is_word(text: str) -> bool:
    """Whether a part of a key looks like the application's word, not like an id, a number or a date."""
    return len(text) <= 60 and _WORD.fullmatch(text) is not None


def separator_of(keys: Sequence[Key]) -> str | None:
    """The text that separates the parts of the keys; None: none does."""
    texts = [text for key in keys for text in key]
    scores = {separator: _score(separator, texts) for separator in SEPARATORS}
    best = max(SEPARATORS, key=lambda separator: scores[separator])
    held = sum(any(best in text for text in key) for key in keys)
    return best if scores[best] and held >= SEPARATED_SHARE * len(keys) else None


def _score(separator: str, texts: Iterable[str]) -> int:
    """A text that begins with a word counts three times: there the separator stands between a constant part and others."""
    held = [text for text in texts if separator in text]
    begun = [text for text in held if is_word(next(filter(None, text.split(separator)), ""))]
    return 2 * len(begun) + (len(begun) if separator == ":" else len(held))


def segments_of(key: Key, separator: str | None) -> Segments:
    """The parts of a key."""
    return tuple((text,) if separator is None else tuple(text.split(separator)) for text in key)


def signature(parts: Segments) -> tuple[tuple[bool, ...], ...]:
    """How many parts each attribute of a key has, and which of them are empty."""
    return tuple(tuple(part == "" for part in attribute) for attribute in parts)


def beginning(parts: Segments) -> tuple[object, ...]:
    """The signature, and the words that the attributes begin with."""
    return (signature(parts), tuple(_first_word(attribute) for attribute in parts))


def _first_word(parts: Sequence[str]) -> str:
    first = next(filter(None, parts), "")
    return first if _LABEL.fullmatch(first) else ""


def grouped(values: Iterable[T], by: Callable[[T], object]) -> list[list[T]]:
    """The values in groups that ``by`` gives one answer, in the order in which the groups begin."""
    groups: dict[object, list[T]] = defaultdict(list)
    for value in values:
        groups[by(value)].append(value)
    return list(groups.values())


class Shapes:
    """Finds the kinds of items by the shapes of their keys. ``names``: of each item's attributes beside its key. ``repeated``:
    whether an attribute of each of these items says again what this part of its key says, which is then a value."""

    def __init__(
        self,
        parts: Sequence[Segments],
        names: Sequence[frozenset[str]],
        repeated: Callable[[Sequence[int], Sequence[str]], bool],
    ) -> None:
        self._parts = parts
        self._names = names
        self._repeated = repeated

    def kinds(self) -> list[list[int]]:
        """The places of the items of each kind in the sample."""
        whole = grouped(range(len(self._parts)), lambda place: signature(self._parts[place]))
        return [kind for group in whole for kind in self._split(group, 0)]

    def _split(self, group: list[int], begin: int) -> list[list[int]]:
        places = [(number, at) for number, part in enumerate(self._parts[group[0]]) for at in range(len(part))]
        for position in range(begin, len(places) if len(group) > 1 else 0):
            labels = self._labels(group, *places[position])
            if labels is not None:
                parts = grouped(group, labels.__getitem__)
                return [kind for part in parts for kind in self._split(part, position + 1)]
        return [group]

    def _labels(self, group: list[int], number: int, at: int) -> dict[int, str] | None:
        """The word that tells the kind of each item at this place of the key; None: no word there does."""
        tokens = {place: self._parts[place][number][at] for place in group}
        counts = Counter(tokens.values())
        labels = {place: _label(token, counts) for place, token in tokens.items()}
        distinct = Counter(labels.values())
        if len(distinct) < 2 or len(distinct) > max(4, len(group) / 2):
            return None
        if self._repeated(group, list(tokens.values())):
            return None
        begins = not any(self._parts[group[0]][number][:at]) and any(self._parts[group[0]][number][at + 1 :])
        if begins and all(_is_plain_word(label) for label in distinct):
            return labels
        return labels if self._differ(labels) else None

    def _differ(self, labels: dict[int, str]) -> bool:
        """Whether the items with each label have attributes of their own."""
        names: dict[str, frozenset[str]] = {}
        for place, label in labels.items():
            names[label] = names.get(label, frozenset()) | self._names[place]
        found = list(names.values())
        return all(not _alike(one, other) for number, one in enumerate(found) for other in found[:number])


def _label(token: str, counts: Counter[str]) -> str:
    if is_word(token) and (counts[token] > 1 or token.isupper()):
        return token
    found = _PREFIX.fullmatch(token) or _NUMBERED.fullmatch(token)
    return f"{found[1]}*" if found else "*"


def _is_plain_word(label: str) -> bool:
    return _LABEL.fullmatch(label) is not None and not label.istitle()


def _alike(one: frozenset[str], other: frozenset[str]) -> bool:
    either = one | other
    return not either or len(one & other) / len(either) >= ALIKE_ATTRIBUTES
