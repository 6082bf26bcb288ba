"""Finds the templates by which an application makes the keys of one kind of items, and their index attributes, out of values."""

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

from service.core.item.wire import AttributeValue, Item
from service.core.mapping.convert import is_absent, text_of
from service.core.mapping.dates import date_part
from service.core.mapping.draft_shapes import is_word
from service.core.mapping.template import parse_template
from service.errors import Poison

SOME_ITEMS = 5
"""With fewer items, a template must make all of them."""
_PREFIX = re.compile(r"[A-Za-z$@][A-Za-z$@ _.-]*[_=:.-]")
_NAME = re.compile(r"[^{}|:?]{1,255}")

Column = Sequence[str]
"""One part of a key, of each item."""
Texts = Sequence[str | None]
"""A value as text, of each item; None: it has none."""


@dataclass
class Values:
    """What the items of one kind have that templates may be made of, and what of it is used."""

    items: Sequence[Item]
    texts: dict[str, Texts]
    """By name: attributes, and values that are in the key alone."""
    in_key: set[str] = field(default_factory=set)
    """The names of values that are in the key alone."""
    used: list[str] = field(default_factory=list)
    """The names that templates have, in order."""
    opened: set[str] = field(default_factory=set)
    """Of them those that are the same in all items, and are no constants all the same."""
    tolerance: int = 0
    """Of items that a placeholder may be wrong for."""
    natural: frozenset[str] = frozenset()
    """The key attributes whose names say what they hold: a value may have the name too."""

    def complete(self, name: str) -> bool:
        """Whether every item has it."""
        return None not in self.texts[name]

    def use(self, name: str) -> None:
        """It is in a template."""
        if name not in self.used:
            self.used.append(name)

    def likely(self, word: str) -> list[str]:
        """All names, the likeliest first where a key has ``word`` before a value."""
        plain = _letters(word)
        wanted = {plain, f"{plain}id", f"{plain}name"} if plain else set()
        order = {name: place for place, name in enumerate(self.texts)}
        return sorted(
            self.texts,
            key=lambda name: (_letters(name) not in wanted, name not in self.used, name != "id", order[name]),
        )


def texts_of(items: Sequence[Item], names: Iterable[str], types: frozenset[str]) -> dict[str, Texts]:
    """The values as text of those attributes ``names`` that are of these ``types`` only and may be in a template."""
    found: dict[str, Texts] = {}
    for name in filter(_NAME.fullmatch, names):
        values = [item[name] for item in items if not is_absent(item.get(name))]
        if values and all(value.keys() <= types for value in values):
            found[name] = [_text(item.get(name)) for item in items]
    return found


def _text(value: AttributeValue | None) -> str | None:
    return None if is_absent(value) else text_of(value) or None


def _letters(text: str) -> str:
    return "".join(filter(str.isalpha, text)).lower()


def placeholder(values: Values, column: Column, word: str = "") -> tuple[str, str] | None:
    """The name of the value that makes ``column``, and its placeholder; None: nothing does. ``word``: what is before it."""
    names = values.likely(word)
    for modifier in ("", "lower", "upper", "pad", "month"):
        for name in names:
            found = _modified(values.texts[name], column, modifier, values.tolerance)
            if found is not None and (not modifier or name not in values.in_key):
                return name, f"{{{name}{found}}}"
    return None


def said_by(values: Values, column: Column, word: str) -> list[tuple[str, str]]:
    """The names of all values that make ``column`` as they are or in small letters, each with its placeholder."""
    found: dict[str, str] = {}
    for modifier in ("", "lower"):
        for name in values.likely(word):
            modified = _modified(values.texts[name], column, modifier, 0)
            if modified is not None and name not in found and not (modifier and name in values.in_key):
                found[name] = f"{{{name}{modified}}}"
    return list(found.items())


def _modified(texts: Texts, column: Column, modifier: str, tolerance: int) -> str | None:
    """The modifier, with its colon, that makes the column of the texts."""
    if modifier == "pad":
        return _padded(texts, column)
    wrong = 0
    for text, part in zip(texts, column, strict=True):
        wrong += text is None or _changed(text, modifier) != part
        if wrong > tolerance:
            return None
    return f":{modifier}" if modifier else ""


def _changed(text: str, modifier: str) -> str | None:
    match modifier:
        case "lower":
            return text.lower()
        case "upper":
            return text.upper()
        case "month":
            return date_part("month", "date", text) or None
    return text


def _padded(texts: Texts, column: Column) -> str | None:
    width = len(column[0])
    if not 1 <= width < 40:
        return None
    for text, part in zip(texts, column, strict=True):
        if text is None or not (text.isascii() and text.isdigit()) or text.zfill(width) != part or len(text) > width:
            return None
    return f":pad{width}"


def prefixes(column: Column) -> list[str]:
    """What all parts of the column begin with, as far as it looks like the application's words; the longest first."""
    common = _common(min(column), max(column))
    ends = [place + 1 for place, letter in enumerate(common) if letter in "_=:.-"]
    found = [common[:end] for end in reversed(ends) if all(len(part) > end for part in column)]
    return [prefix for prefix in found if _PREFIX.fullmatch(prefix)]


def _common(first: str, last: str) -> str:
    """What two texts, and so all that are between them in order, begin with."""
    for place, letter in enumerate(first):
        if not last.startswith(letter, place):
            return first[:place]
    return first


def word_before(columns: Sequence[Column], number: int) -> str:
    """The word that a key has before the part ``number``; empty when a value is there."""
    before = columns[number - 1] if number else ("",)
    return before[0] if len(set(before)) == 1 and is_word(before[0]) else ""


def literal(text: str) -> str:
    """A constant text as it stands in a template."""
    return text.replace("{", "{{").replace("}", "}}")


@dataclass(frozen=True)
class Made:
    """What was found out about an attribute that may be made of others."""

    template: str | None
    """None: there is none."""
    doubt: str = ""
    """Why there is none, or what to check."""


def made_template(values: Values, attribute: str, separator: str | None) -> Made:
    """The template that makes ``attribute`` of other values, for every item of the kind that has it."""
    having = [place for place, item in enumerate(values.items) if attribute in item]
    if any("S" not in values.items[place][attribute] for place in having):
        return Made(None, "it is not text in all items")
    present = values if len(having) == len(values.items) else _only(values, having)
    texts = [item[attribute]["S"] for item in present.items]
    split = [[text] if separator is None else text.split(separator) for text in texts]
    ((count, _),) = Counter(map(len, split)).most_common(1)
    usual = [place for place, parts in enumerate(split) if len(parts) == count]
    columns = list(zip(*(split[place] for place in usual), strict=True))
    found = _parts(_only(present, usual), columns)
    if isinstance(found, Made):
        tolerant = _parts(replace(_only(present, usual), tolerance=_otherwise(len(usual))), columns)
        found = found if isinstance(tolerant, Made) else tolerant
    if isinstance(found, Made):
        return found
    template, doubts = (separator or "").join(part for part, _ in found), [doubt for _, doubt in found if doubt]
    return _judged(values, attribute, template, doubts)


def _otherwise(count: int) -> int:
    """Of so many items, how many may be otherwise than their template makes them: one in ten, and one of a few."""
    return max(1, count // 10) if count >= SOME_ITEMS else 0


def _only(values: Values, places: Sequence[int]) -> Values:
    texts: dict[str, Sequence[str | None]] = {
        name: [found[place] for place in places] for name, found in values.texts.items()
    }
    return replace(values, items=[values.items[place] for place in places], texts=texts)


def _parts(values: Values, columns: Sequence[Column]) -> list[tuple[str, str]] | Made:
    found: list[tuple[str, str]] = []
    for number, column in enumerate(columns):
        part = _part(values, column, word_before(columns, number))
        if part is None:
            return Made(None, _why_none(values, column))
        found.append(part)
    return found


def _why_none(values: Values, column: Column) -> str:
    """Why no value makes the column: the one that makes it in most items, or that none does in any."""
    right = {name: _right(texts, column) for name, texts in values.texts.items()}
    best = max(right, key=lambda name: right[name], default="")
    if best and right[best]:
        return f"{best} says it in {right[best]} of {len(column)} items only"
    return f"nothing else in the item says {column[0]!r}"


def _right(texts: Texts, column: Column) -> int:
    """In how many items a value is the part of the key: as it is, in small or capital letters, or with zeros before it."""
    return sum(
        text is not None and part in (text, text.lower(), text.upper(), text.zfill(len(part)))
        for text, part in zip(texts, column, strict=True)
    )


def _part(values: Values, column: Column, word: str) -> tuple[str, str] | None:
    """A part of a template, and a doubt about it."""
    same, first = len(set(column)) == 1, column[0]
    named = placeholder(values, column, word)
    if same and is_word(first or "_"):
        opened = [placed for name, placed in said_by(values, column, word) if name in values.opened]
        if opened:
            return opened[0], ""
        if named is not None and word and _letters(named[0]) == _letters(word):
            return named[1], ""
        inner = _after_prefix(values, column)
        if inner is not None:
            return inner, ""
        return literal(first), f"{first!r} is {named[0]} in all items" if named is not None else ""
    if same and first == "":
        return "", ""
    if named is not None:
        return named[1], ""
    inner = _after_prefix(values, column) or _two(values, column)
    return None if inner is None else (inner, "")


def _after_prefix(values: Values, column: Column) -> str | None:
    for prefix in prefixes(column):
        named = placeholder(values, [part[len(prefix) :] for part in column], prefix)
        if named is not None and (len(set(column)) > 1 or _letters(named[0]) == _letters(prefix)):
            return literal(prefix) + named[1]
    return None


def _two(values: Values, column: Column) -> str | None:
    """Two values with nothing between them."""
    for name in values.likely(""):
        texts = values.texts[name]
        if all(text and part.startswith(text) for text, part in zip(texts, column, strict=True)):
            rest = [part[len(text or "") :] for text, part in zip(texts, column, strict=True)]
            second = placeholder(values, rest) if all(rest) else None
            if second is not None and second[0] != name:
                return f"{{{name}}}{second[1]}"
    return None


def _judged(values: Values, attribute: str, text: str, doubts: list[str]) -> Made:
    """The template, with ``?`` where a value may be absent; none where too many items are otherwise."""
    for name in dict.fromkeys(one.name for one in parse_template(text).placeholders):
        if not values.complete(name):
            text = re.sub(rf"\{{({re.escape(name)}(?::\w+)?)\}}", r"{\1?}", text)
    other = [place for place, item in enumerate(values.items) if _render(values, text, place) != item.get(attribute)]
    total = len(values.items)
    if len(other) > _otherwise(total):
        return Made(None, f"{text!r} does not make it in {len(other)} of {total} items")
    if other:
        doubts = [*doubts, f"{len(other)} of {total} items have another value, and keep it"]
    if parse_template(text).constant and total > 1 and not doubts:
        doubts = [f"the same in all {total} items"]
    return Made(text, "; ".join(doubts))


def _render(values: Values, text: str, place: int) -> AttributeValue | None:
    fields = {name: {"S": found} for name, texts in values.texts.items() if (found := texts[place]) is not None}
    try:
        return parse_template(text).value_or_none(fields)
    except Poison:
        return None
