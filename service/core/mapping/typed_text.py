"""An old key, and the new values of v2 fields, as a person types them on the command line or the console page."""

from collections.abc import Sequence

from service.core.item.json_text import attribute_value, parsed_json
from service.core.item.wire import AttributeValue, Item
from service.core.mapping.convert import CONVERTERS, to_string
from service.core.mapping.entity import Entity
from service.core.mapping.mapping import Mapping
from service.core.mapping.template import KeyType
from service.errors import Misconfigured

WORDS: dict[KeyType, str] = {"S": "text", "N": "a number", "B": "base64 text"}


def old_key_from_text(mapping: Mapping, text: str) -> Item:
    """The key that ``transform.old_key_text`` writes as ``text``: ``pk=LEAD#7 sk=METADATA``.

    Raises Misconfigured when it is none. A partition key that holds a blank and the sort key's name cannot be written so.
    """
    partition, *sort = mapping.old.key_names
    found, value = text.startswith(f"{partition}="), text.removeprefix(f"{partition}=")
    values = [value]
    if sort:
        value, between, last = value.partition(f" {sort[0]}=")
        found, values = found and bool(between), [value, last]
    if not found:
        example = " ".join(f"{name}=..." for name in mapping.old.key_names)
        raise Misconfigured(f"{text} is no key of the old table", remedy=f"write it as: {example}")
    return {name: _key_value(mapping, name, value) for name, value in zip(mapping.old.key_names, values, strict=True)}


def _key_value(mapping: Mapping, name: str, text: str) -> AttributeValue:
    kind = mapping.old.key_types.get(name, "S")
    try:
        if text:
            return attribute_value({kind: text}, name)
    except ValueError as error:
        raise Misconfigured(f"the old key's {error}", remedy=f"write {WORDS[kind]}") from error
    raise Misconfigured(f"the old key's {name} is empty", remedy=f"write {WORDS[kind]}")


def edits_from_text(mapping: Mapping, entity: Entity, assignments: Sequence[str]) -> Item:
    """The v2 attributes of ``entity`` that ``assignments`` write, each ``field=value``.

    A value is DynamoDB's JSON (``{"N": "1"}``); any other text is read as the field's type reads text. Raises Misconfigured.
    """
    return dict(_edit(mapping, entity, assignment) for assignment in assignments)


def _edit(mapping: Mapping, entity: Entity, assignment: str) -> tuple[str, AttributeValue]:
    name, equals, text = assignment.partition("=")
    if not equals or not name:
        raise Misconfigured(f"{assignment} is no edit", remedy="write it as field=value")
    if name in {mapping.stamp, *dict(entity.derived)}:
        raise Misconfigured(f"{name} is made by the mapping, not edited", remedy="edit the fields that it is made of")
    return name, _typed(text) or _of_field(entity, name, text)


def _typed(text: str) -> AttributeValue | None:
    try:
        return attribute_value(parsed_json(text), "") if text.startswith("{") else None
    except ValueError:
        return None


def _of_field(entity: Entity, name: str, text: str) -> AttributeValue:
    rule = entity.fields.get(name)
    kind = "string" if rule is None else rule.type
    value = _binary(text) if kind == "binary" else CONVERTERS.get(kind, to_string)({"S": text})
    if value is None:
        raise Misconfigured(
            f"{text!r} is no value of field {name}, which is of type {kind}", remedy="write another value"
        )
    return value


def _binary(text: str) -> AttributeValue | None:
    try:
        return attribute_value({"B": text}, "")
    except ValueError:
        return None
