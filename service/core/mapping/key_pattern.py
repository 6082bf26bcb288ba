"""Key patterns: templates of the old key, read the other way: from the text of a key to the values in it.

With a separator, no value holds it, so any number of placeholders between separators is read back. Without one, a template is
read back when at most one of its placeholders is of no fixed width.
"""

import re
from dataclasses import dataclass

from service.core.item.wire import AttributeValue
from service.core.mapping.dates import DATE_PARTS
from service.core.mapping.template import Placeholder, Template


@dataclass(frozen=True, slots=True, eq=False)
class KeyPattern:
    """A template of a key attribute, to read it by."""

    template: Template
    pattern: re.Pattern[str]
    names: tuple[str, ...]
    """Of the groups of ``pattern``, in order."""

    def read(self, value: AttributeValue | None) -> dict[str, str] | None:
        """The texts of its placeholders, by name; those with a modifier too. None: the value does not read like the template."""
        text = (value or {}).get(self.template.kind)
        match = self.pattern.fullmatch(text) if isinstance(text, str) else None
        return None if match is None else dict(zip(self.names, match.groups(), strict=True))


def key_pattern(template: Template, separator: str | None) -> KeyPattern:
    """The pattern of a template. ``separator``: a text that no value holds; None: values may hold anything."""
    any_text = ".+" if separator is None else f"(?:(?!{re.escape(separator)}).)+"
    parts = [re.escape(part) if isinstance(part, str) else _group(part, any_text) for part in template.parts]
    names = tuple(placeholder.name for placeholder in template.placeholders)
    return KeyPattern(template, re.compile("".join(parts), re.DOTALL), names)


def _group(placeholder: Placeholder, any_text: str) -> str:
    if placeholder.modifier in DATE_PARTS:
        return f"({re.sub('[YMDH]', '[0-9]', DATE_PARTS[placeholder.modifier])})"
    if placeholder.width is not None:
        return rf"([0-9]{{{placeholder.width}}})"
    return f"({any_text})"


def is_readable(template: Template, separator: str | None) -> bool:
    """Whether every text of the template is made of one choice of values only."""
    if separator is None:
        return sum(not placeholder.fixed_width for placeholder in template.placeholders) <= 1
    return all(len(_varying(segment)) <= 1 for segment in segments(template, separator))


Segment = tuple[str | Placeholder, ...]
"""The parts of a template between two separators."""


def segments(template: Template, separator: str) -> list[Segment]:
    """The parts of the template between its separators."""
    found: list[list[str | Placeholder]] = [[]]
    for part in template.parts:
        if not isinstance(part, str):
            found[-1].append(part)
            continue
        for number, text in enumerate(part.split(separator)):
            if number:
                found.append([])
            if text:
                found[-1].append(text)
    return [tuple(segment) for segment in found]


def _varying(segment: Segment) -> list[Placeholder]:
    return [part for part in segment if not isinstance(part, str) and not part.fixed_width]


def are_disjoint(first: Template, second: Template, separator: str | None) -> bool:
    """Whether no text of one template is a text of the other, as far as their fixed texts show it."""
    if first.kind != second.kind:
        return True
    if separator is None:
        return _texts_differ(tuple(first.parts), tuple(second.parts))
    here, there = segments(first, separator), segments(second, separator)
    return len(here) != len(there) or any(map(_texts_differ, here, there))


def _texts_differ(first: Segment, second: Segment) -> bool:
    """By what they begin with, end with, or are."""
    if _is_fixed(first) and _is_fixed(second):
        return first != second
    if _is_fixed(second):
        first, second = second, first
    if _is_fixed(first):
        (text,) = first or ("",)
        assert isinstance(text, str)
        pattern = "".join(re.escape(part) if isinstance(part, str) else _group(part, ".+") for part in second)
        return re.fullmatch(pattern, text, re.DOTALL) is None
    return _clash(_edge(first, 0), _edge(second, 0)) or _clash(_edge(first, -1)[::-1], _edge(second, -1)[::-1])


def _is_fixed(segment: Segment) -> bool:
    return all(isinstance(part, str) for part in segment)


def _edge(segment: Segment, place: int) -> str:
    part = segment[place]
    return part if isinstance(part, str) else ""


def _clash(first: str, second: str) -> bool:
    """Whether two texts cannot begin one and the same text."""
    return not (first.startswith(second) or second.startswith(first))
