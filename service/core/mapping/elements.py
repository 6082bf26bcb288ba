"""Lists whose maps have fields of their own, such as the stages of a pipeline."""

from collections.abc import Sequence

from service.core.item.wire import AttributeValue, Item
from service.core.mapping.convert import Converter, is_absent, to_list

ElementField = tuple[str, Converter, AttributeValue | None]
"""Name, converter and default of a field inside the maps."""


def element_converter(fields: Sequence[ElementField]) -> Converter:
    """As ``convert.to_list``; then each map in the list gets its inner fields.

    They follow the rules of the outer ones. Inner attributes without a field, and elements that are not maps,
    stay as they are.
    """

    def convert(value: AttributeValue) -> AttributeValue | None:
        converted = to_list(value)
        if converted is None:
            return None
        elements = [_element(element, fields) for element in converted["L"]]
        return converted if elements == converted["L"] else {"L": elements}

    return convert


def _element(element: AttributeValue, fields: Sequence[ElementField]) -> AttributeValue:
    if "M" not in element:
        return element
    content: Item = dict(element["M"])
    for name, convert, default in fields:
        original = content.pop(name, None)
        value = None if original is None or is_absent(original) else convert(original)
        value = default if value is None else value
        if value is not None:
            content[name] = value
    return {"M": content}
