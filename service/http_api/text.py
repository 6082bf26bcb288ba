"""Text in the body of a request."""

from typing import Annotated

from pydantic import AfterValidator


def _whole(text: str) -> str:
    try:
        text.encode()
    except UnicodeEncodeError:
        raise ValueError("half a surrogate pair is no text") from None
    return text


Text = Annotated[str, AfterValidator(_whole)]
"""Text that can be stored: JSON's escapes can also write half a character."""
