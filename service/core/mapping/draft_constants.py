"""Judges a part of a key that is one text in all items of a kind: the application's constant, or a value that varies elsewhere."""

from collections.abc import Sequence
from dataclasses import dataclass

from service.core.item.wire import Item
from service.core.mapping.convert import text_of
from service.core.mapping.draft_kinds import Kind, names_kinds
from service.core.mapping.draft_templates import Values, said_by


@dataclass(frozen=True)
class Others:
    """What the sample has beside one kind."""

    kinds: Sequence[Kind]
    may_open: bool
    """Whether a part may become a field; otherwise it is only doubted."""


@dataclass(frozen=True)
class Constant:
    """A part of a key that all items of a kind have, and where it is."""

    text: str
    attribute: int
    """The number of the key attribute."""
    before: tuple[str, ...]
    """The parts before it in the attribute, where these are constant too."""
    constant_before: bool

    @property
    def begins(self) -> bool:
        """Whether the key attribute begins with it: it most likely tells the kind."""
        return self.constant_before and not any(self.before)


@dataclass(frozen=True)
class Judged:
    """A constant part as it is judged: the field that it is, or a doubt."""

    field: tuple[str, str] | None = None
    """The name of the value that it is, and its placeholder."""
    doubt: str = ""


def judged(values: Values, part: Constant, word: str, others: Others) -> Judged:
    """A field where an attribute says the part in all items and other items show that it varies; otherwise the constant, with a
    doubt where it may be a value. ``word``: what is before it.

    A constant that should be a value is worse than a value that never varies: the items that have others there are of no entity.
    """
    said = [one for one in said_by(values, [part.text] * len(values.items), word) if not names_kinds(one[0])]
    count = len(values.items)
    all_items = f"all {count} items" if count > 1 else "its only item"
    for name, placed in said if others.may_open else ():
        if _varies(part, name, others.kinds):
            return Judged((name, placed), f"{name} is {part.text!r} in {all_items}")
    if said and not _tells_kinds(part, others.kinds):
        return Judged(doubt=f"{part.text!r} is {said[0][0]} in {all_items}")
    if _may_be_value(part, others.kinds, several=count > 1):
        return Judged(doubt=f"{part.text!r} is the same in {all_items}")
    return Judged()


def _varies(part: Constant, name: str, kinds: Sequence[Kind]) -> bool:
    """Whether other kinds show that the attribute has several values. Where the key begins, they must do so within one kind:
    an attribute that differs from kind to kind only may tell the kinds."""
    if _tells_kinds(part, kinds):
        return False
    if part.begins:
        return any(len(_texts(kind.items, name)) > 1 for kind in kinds)
    return any(_texts(kind.items, name) - {part.text.lower()} or _there(part, kind) - {part.text} for kind in kinds)


def _tells_kinds(part: Constant, kinds: Sequence[Kind]) -> bool:
    """Whether it is a plain word in capital letters with which this key attribute or one of another kind begins."""
    plain = part.text.replace("_", "").isalpha() and part.text.isupper()
    return plain and (part.begins or _begins_others(part.text, kinds))


def _begins_others(text: str, kinds: Sequence[Kind]) -> bool:
    return any(
        next(filter(None, attribute), "") == text for kind in kinds for parts in kind.parts for attribute in parts
    )


def _may_be_value(part: Constant, kinds: Sequence[Kind], *, several: bool) -> bool:
    """Whether a part that no attribute says looks like a value: one other kind has several there, or it is not written as the word
    before it."""
    if part.begins or _tells_kinds(part, kinds):
        return False
    if any(len(_there(part, kind)) > 1 for kind in kinds):
        return True
    first = next(filter(None, part.before), "")
    return several and (not part.text.replace("_", "").isalpha() or part.text.isupper() != first.isupper())


def _texts(items: Sequence[Item], name: str) -> set[str]:
    return {text_of(item[name]).lower() for item in items if name in item and item[name].keys() <= {"S", "N"}}


def _there(part: Constant, kind: Kind) -> set[str]:
    """What the keys of a kind have at the place of the part, after the same parts."""
    if not part.constant_before:
        return set()
    end = len(part.before)
    keys = (parts[part.attribute] for parts in kind.parts)
    return {key[end] for key in keys if len(key) > end and tuple(key[:end]) == part.before}
