"""Drafts how the key of one kind of items is read: which of its parts are constant, and the names of the others."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from service.core.mapping.dates import moment_of
from service.core.mapping.draft_constants import Constant, Others, judged
from service.core.mapping.draft_kinds import Kind, Table
from service.core.mapping.draft_shapes import is_word
from service.core.mapping.draft_templates import Values, literal, placeholder, prefixes, word_before
from service.core.mapping.template import parse_template

_NUMBERED = re.compile(r"([A-Za-z]{3,})[-_]?\d+")
_KEY_LIKE = re.compile(r"_?(p|s|h|r|hash|range|sort|partition)[-_]?(k|key|id)?", re.IGNORECASE)


@dataclass(frozen=True)
class KeyDraft:
    """How the key of a kind is written."""

    templates: dict[str, str]
    words: list[str]
    """The constant words in it, those of the sort key last."""
    doubts: list[str] = field(default_factory=list)


def is_key_like(name: str) -> bool:
    """Whether an attribute is called ``pk``, ``SK``, ``hashKey`` or the like, which says nothing of what it holds."""
    return _KEY_LIKE.fullmatch(name) is not None


def key_draft(table: Table, kind: Kind, values: Values, separator: str | None, others: Others | None) -> KeyDraft:
    """Draft the key of ``kind``; what its templates name is used in ``values``. ``others``: by which its constants are judged."""
    words: list[str] = []
    doubts: list[str] = []
    templates = {}
    for number, attribute in enumerate(table.key_names):
        if "S" in kind.items[0][attribute]:
            columns = list(zip(*(parts[number] for parts in kind.parts), strict=True))
            parts = _parts(
                values, attribute, columns, None if others is None else _Judge(values, number, others, doubts)
            )
            templates[attribute] = (separator or "").join(parts)
            words += _words(parts, columns)
        else:
            templates[attribute] = _typed(values, attribute, [parts[number][0] for parts in kind.parts])
    if not any(parse_template(text).placeholders for text in templates.values()):
        doubts = [_make_varying(table, kind, values, separator, templates)]
    return KeyDraft(templates, words, list(dict.fromkeys(doubts)))


def _make_varying(table: Table, kind: Kind, values: Values, separator: str | None, templates: dict[str, str]) -> str:
    """Where a key is words only: its last part that is not empty, of the partition key if it has one, is a value all the same, and
    this is why."""
    parts = kind.parts[0]
    number = next((number for number, attribute in enumerate(parts) if any(attribute)), 0)
    at = max((at for at, part in enumerate(parts[number]) if part), default=0)
    attribute = table.key_names[number]
    name = _new(values, f"{_plain(attribute)}_{at + 1}", [one[number][at] for one in kind.parts])
    texts = [literal(part) for part in parts[number]]
    texts[at] = f"{{{name}}}"
    templates[attribute] = (separator or "").join(texts)
    return f"the key is words only, and v2's key needs a field: {name} is {parts[number][at]!r}"


def _typed(values: Values, attribute: str, column: Sequence[str]) -> str:
    named = placeholder(values, column)
    name = named[0] if named is not None and named[1] == f"{{{named[0]}}}" else _new(values, attribute, column)
    values.use(name)
    return f"{{{name}}}"


@dataclass(frozen=True)
class _Judge:
    """Judges the constant parts of a key attribute."""

    values: Values
    attribute: int
    others: Others
    doubts: list[str]

    def field(self, columns: Sequence[Sequence[str]], number: int) -> str | None:
        """The placeholder of the value that the part ``number`` is; None: it is a constant."""
        before = columns[:number]
        same = all(len(set(column)) == 1 for column in before)
        part = Constant(columns[number][0], self.attribute, tuple(column[0] for column in before), same)
        found = judged(self.values, part, word_before(columns, number), self.others)
        if found.doubt:
            self.doubts.append(found.doubt)
        if found.field is None:
            return None
        self.values.use(found.field[0])
        self.values.opened.add(found.field[0])
        return found.field[1]


def _parts(values: Values, attribute: str, columns: Sequence[Sequence[str]], judge: _Judge | None) -> list[str]:
    found = []
    for number, column in enumerate(columns):
        part = _part(values, column, word_before(columns, number), _Place(attribute, number, len(columns)))
        constant = part and not parse_template(part).placeholders
        found.append((judge.field(columns, number) if judge and constant else None) or part)
    return found


def _words(parts: Sequence[str], columns: Sequence[Sequence[str]]) -> list[str]:
    found = []
    for part, column in zip(parts, columns, strict=True):
        template = parse_template(part)
        found.append(template.literal_prefix if template.placeholders else column[0])
    return list(filter(None, found))


@dataclass(frozen=True)
class _Place:
    """Where in a key a part is."""

    attribute: str
    number: int
    count: int


def _part(values: Values, column: Sequence[str], before: str, place: _Place) -> str:
    first = column[0]
    same = len(set(column)) == 1
    if same and (first == "" or (is_word(first) and not _is_named_after(values, column, before))):
        found = _after_prefix(values, column) if first else None
        return literal(first) if found is None else found
    named = placeholder(values, column, before)
    if named is not None and ":month" not in named[1]:
        values.use(named[0])
        return named[1]
    found = _after_prefix(values, column)
    if found is not None:
        return found
    prefix = next(iter(prefixes(column)), "") if len(set(column)) > 2 else ""
    rest = [part[len(prefix) :] for part in column]
    name = _new(values, _name(prefix or before, rest, place), rest)
    return f"{literal(prefix)}{{{name}}}"


def _is_named_after(values: Values, column: Sequence[str], before: str) -> bool:
    """Whether an attribute has the value, and the name that stands before it in the key."""
    named = placeholder(values, column, before)
    return named is not None and bool(before) and _plain(named[0]).replace("_", "") == _plain(before).replace("_", "")


def _after_prefix(values: Values, column: Sequence[str]) -> str | None:
    for prefix in prefixes(column):
        named = placeholder(values, [part[len(prefix) :] for part in column], prefix)
        if named is not None and ":month" not in named[1]:
            if len(set(column)) == 1 and _plain(named[0]).replace("_", "") not in _plain(prefix).replace("_", ""):
                continue
            values.use(named[0])
            return literal(prefix) + named[1]
    return None


def _name(before: str, column: Sequence[str], place: _Place) -> str:
    """A name for a value that no attribute has."""
    if place.count == 1 and not is_key_like(place.attribute):
        return place.attribute
    word = re.sub(r"_?\d+$", "", _plain(before))
    if word:
        return word
    stems = {found[1] if (found := _NUMBERED.fullmatch(part)) else "" for part in column}
    stem = stems.pop() if len(stems) == 1 else ""
    if all(moment_of("date", text) for text in column):
        return "time" if "T" in column[0] else "date"
    return stem.lower() or f"{_plain(place.attribute)}_{place.number + 1}"


def _plain(text: str) -> str:
    return re.sub("[^a-z0-9]+", "_", text.lower()).strip("_")


def _new(values: Values, wanted: str, column: Sequence[str]) -> str:
    """A value that is in the key alone, under a name that no attribute has."""
    taken = {name for item in values.items for name in item if name not in values.natural} | values.texts.keys()
    name, number = re.sub("[{}|:?]", "_", wanted)[:200], 1
    stem = name
    while name in taken:
        number += 1
        name = f"{stem}_{number}"
    values.texts[name] = list(column)
    values.in_key.add(name)
    values.use(name)
    return name
