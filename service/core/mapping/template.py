"""Templates: text that contains the values of fields, for keys, index keys and defaults.

``{name}`` is the field's value as text; ``{name|fallback}`` takes the fallback when it is absent or empty; ``{name?}`` makes
nothing of the whole template then; ``{name:month}`` is the UTC month of a date (so ``year``, ``day`` and ``hour``);
``{name:shard16}`` is one of 16 numbers that spread the values, always the same number for the same value; ``{name:pad6}`` is a
whole number of at least 0 in six digits; ``{name:lower}`` and ``{name:upper}`` are in small and capital letters. ``{{`` and ``}}``
are the braces themselves. No clock, no locale, no time zone: a replay writes the same key.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal
from zlib import crc32

from service.core.item.numbers import number_text, parse_number
from service.core.item.wire import AttributeValue, Item
from service.core.mapping.convert import text_of
from service.core.mapping.dates import DATE_PARTS, date_part
from service.errors import Poison

KeyType = Literal["S", "N", "B"]

_PART = re.compile(
    r"(?P<brace>\{\{|\}\})"
    r"|\{(?P<name>[^{}|:?]+)(?::(?P<modifier>[^{}|?]+))?(?P<optional>\?)?(?:\|(?P<fallback>[^{}]*))?\}"
    r"|(?P<stray>[{}])"
)
_SHARD = re.compile(r"shard([1-9][0-9]{0,3})")
_PAD = re.compile(r"pad([1-9]|[1-3][0-9])")
_KNOWN = f"{', '.join(DATE_PARTS)}, lower, upper, pad<digits> such as pad6, and shard<count> such as shard16"

Renderer = Callable[[Item], str]


class TemplateError(ValueError):
    """The text is not a template; the message is the reason."""


@dataclass(frozen=True, slots=True)
class Placeholder:
    """``{name:modifier|fallback}``."""

    name: str
    modifier: str | None = None
    fallback: str | None = None
    optional: bool = False
    """Without a value the whole template makes nothing."""
    type: str = "date"
    """The field's type, by which a part of a date is made."""

    @property
    def fixed_width(self) -> bool:
        """Whether every value gives the same number of characters."""
        return self.modifier not in (None, "lower", "upper")

    @property
    def width(self) -> int | None:
        """The number of characters that every value gives; None: it varies."""
        if self.modifier is None or not self.fixed_width:
            return None
        return len(DATE_PARTS.get(self.modifier) or _modified(self.modifier, "0"))

    def render(self, fields: Item) -> str:
        """The text for these fields; empty when the field is absent or empty and there is no fallback.

        Raises Poison (``key_type``) for ``pad`` of what is no whole number of at most so many digits.
        """
        value = fields.get(self.name)
        text = (value["B"] if value and "B" in value else text_of(value)) or self.fallback or ""
        if self.modifier is None or not text:
            return text
        if self.modifier in DATE_PARTS:
            return date_part(self.modifier, self.type, text)
        return _modified(self.modifier, text)

    def renderer(self) -> Renderer:
        """``render``, quicker for a field that is a string."""
        if self.modifier is not None:
            return self.render

        def render(fields: Item) -> str:
            value = fields.get(self.name)
            return (value.get("S") if value is not None else None) or self.render(fields)

        return render


@dataclass(frozen=True, slots=True)
class Template:
    """A parsed template."""

    text: str
    parts: tuple[str | Placeholder, ...]
    render: Renderer = field(compare=False, repr=False)
    """From the values of the fields to the text."""
    value: Callable[[Item], AttributeValue] = field(compare=False, repr=False)
    """From the values of the fields to the key attribute. Raises Poison (``key_type``) when the text is none of its type."""
    kind: KeyType = "S"
    """Of the key attribute that it makes."""
    optional: bool = False
    """Whether it may make nothing."""

    def value_or_none(self, fields: Item) -> AttributeValue | None:
        """As ``value``; None where an optional placeholder has no value."""
        if self.optional and any(part.optional and not part.render(fields) for part in self.placeholders):
            return None
        return self.value(fields)

    @property
    def placeholders(self) -> tuple[Placeholder, ...]:
        """The placeholders, in order."""
        return tuple(part for part in self.parts if isinstance(part, Placeholder))

    @property
    def literal_prefix(self) -> str:
        """The text that every rendered text begins with."""
        first = self.parts[0] if self.parts else ""
        return first if isinstance(first, str) else ""

    @property
    def constant(self) -> bool:
        """Whether every rendered text is the same."""
        return not self.placeholders


def parse_template(text: str, kind: KeyType = "S", field_types: Mapping[str, str] = {}) -> Template:
    """The template in ``text``, of a key attribute of type ``kind``. ``field_types``: by field name; a field that is not among
    them counts as a date of ISO 8601 text where a part of a date is made. Raises TemplateError."""
    parts: list[str | Placeholder] = []
    position = 0
    for match in _PART.finditer(text):
        _append_literal(parts, text[position : match.start()])
        if match["stray"]:
            raise TemplateError(f"template {text!r} has an unmatched brace; write {{{{ or }}}} for the brace itself")
        if match["brace"]:
            _append_literal(parts, match["brace"][0])
        else:
            parts.append(_placeholder(text, match, field_types))
        position = match.end()
    _append_literal(parts, text[position:])
    optional = any(part.optional for part in parts if not isinstance(part, str))
    return _template(text, tuple(parts), kind, optional)


def own_template(name: str, kind: KeyType) -> Template:
    """The template of a key attribute of type ``kind`` that is the field ``name`` itself."""
    placeholder = Placeholder(name)
    return _template(f"{{{name}}}", (placeholder,), kind)


def _template(text: str, parts: tuple[str | Placeholder, ...], kind: KeyType, optional: bool = False) -> Template:
    render = _renderer(parts)
    return Template(text, parts, render, _maker(parts, kind, render), kind, optional)


def _placeholder(text: str, match: re.Match[str], field_types: Mapping[str, str]) -> Placeholder:
    modifier, fallback = match["modifier"], match["fallback"]
    if modifier is not None and not _is_modifier(modifier):
        raise TemplateError(f"template {text!r} uses {modifier!r}; known are {_KNOWN}")
    before, _, last = (fallback or "").rpartition(":")
    if before and _is_modifier(last):
        right = f"{{{match['name']}:{last}|{before}}}"
        raise TemplateError(f"template {text!r} has {last!r} inside the fallback; write {right}")
    if match["optional"] and fallback is not None:
        raise TemplateError(f"template {text!r} has ? and a fallback; with a fallback the value is never absent")
    return Placeholder(
        match["name"], modifier, fallback, bool(match["optional"]), field_types.get(match["name"], "date")
    )


def _is_modifier(text: str) -> bool:
    return text in ("lower", "upper", *DATE_PARTS) or bool(_SHARD.fullmatch(text) or _PAD.fullmatch(text))


def _append_literal(parts: list[str | Placeholder], text: str) -> None:
    if parts and isinstance(parts[-1], str):
        parts[-1] += text
    elif text:
        parts.append(text)


def _renderer(parts: tuple[str | Placeholder, ...]) -> Renderer:
    texts = [_constant(part) if isinstance(part, str) else part.renderer() for part in parts]
    if len(texts) == 1:
        return texts[0]
    if len(parts) == 2 and isinstance(parts[0], str):
        prefix, text = parts[0], texts[1]
        return lambda fields: prefix + text(fields)
    return lambda fields: "".join([text(fields) for text in texts])


def _maker(parts: tuple[str | Placeholder, ...], kind: KeyType, render: Renderer) -> Callable[[Item], AttributeValue]:
    """From the values of the fields to the key attribute; quickest for one field that is a string, which most keys have."""
    if kind != "S":
        return lambda fields: _typed(kind, render(fields))
    names = [part.name for part in parts if isinstance(part, Placeholder) and part.modifier is None]
    if len(names) != 1 or any(isinstance(part, Placeholder) and part.modifier is not None for part in parts):
        return lambda fields: {"S": render(fields)}
    (name,) = names
    before, after = parts[0], parts[-1]
    prefix, suffix = before if isinstance(before, str) else "", after if isinstance(after, str) else ""

    def make(fields: Item) -> AttributeValue:
        value = fields.get(name)
        text = value.get("S") if value is not None else None
        return {"S": f"{prefix}{text}{suffix}" if text else render(fields)}

    return make


def _typed(kind: KeyType, text: str) -> AttributeValue:
    number = parse_number(text) if kind == "N" else None
    if number is not None:
        return {"N": number_text(number)}
    if kind == "B" and text:
        return {"B": text}
    raise Poison(f"{text!r} cannot be a key attribute of type {kind}", reason="key_type")


def _constant(text: str) -> Renderer:
    return lambda _: text


def _modified(modifier: str, text: str) -> str:
    match modifier:
        case "lower":
            return text.lower()
        case "upper":
            return text.upper()
    if modifier.startswith("shard"):
        return _shard(text, int(modifier[len("shard") :]))
    return _padded(text, int(modifier[len("pad") :]))


def _padded(text: str, width: int) -> str:
    if not (text.isascii() and text.isdigit()) or len(text) > width:
        raise Poison(f"{text!r} is no whole number of at most {width} digits", reason="key_type")
    return text.zfill(width)


def _shard(text: str, count: int) -> str:
    return f"{crc32(text.encode()) % count:0{len(str(count - 1))}d}"
