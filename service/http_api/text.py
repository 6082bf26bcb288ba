"""What the bodies of requests share: how strict they are, and the text in them."""

from typing import Annotated

from pydantic import AfterValidator, ConfigDict, JsonValue


def _whole(text: str) -> str:
    try:
        text.encode()
    except UnicodeEncodeError:
        raise ValueError("half a surrogate pair is no text") from None
    return text


Text = Annotated[str, AfterValidator(_whole)]
"""Text that can be stored: JSON's escapes can also write half a character."""


def body(*examples: dict[str, JsonValue]) -> ConfigDict:
    """The configuration of a body: nothing unknown in it, no value of another type; the OpenAPI document has ``examples`` of it."""
    return ConfigDict(extra="forbid", strict=True, json_schema_extra={"examples": list(examples)})
