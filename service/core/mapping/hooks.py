"""A mapping's own functions: found by name, and held to what a converter promises."""

from collections.abc import Callable
from typing import Any

from service.core.item.wire import AttributeValue
from service.core.mapping.convert import Converter
from service.errors import Poison

TYPE_TAGS = frozenset({"S", "N", "B", "BOOL", "NULL", "L", "M", "SS", "NS", "BS"})


def hook(name: str, resolve: Callable[[str], Any]) -> Converter:
    """The function that ``module:function`` names. When it fails on an item, or answers with anything but an
    attribute value or None, the item is Poison (``transform_failed``): a mapping's mistake costs that item a
    detour, never the run."""
    function = resolve(name)

    def convert(value: AttributeValue) -> AttributeValue | None:
        try:
            answer = function(value)
        except Exception as error:
            raise Poison(f"{name} failed: {type(error).__name__}: {error}", reason="transform_failed") from error
        if answer is not None and not (isinstance(answer, dict) and len(answer) == 1 and answer.keys() <= TYPE_TAGS):
            raise Poison(f"{name} gave {answer!r}, not an attribute value or None", reason="transform_failed")
        return answer

    return convert
