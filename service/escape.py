"""Text that an item, a hook or a file brought, as it may be shown: no character of it acts on a terminal, a log or a page.

Keys, reasons and messages can hold escape sequences, line breaks and characters that turn the direction of a line. Everything that
is printed, logged or sent to the console page goes through ``escaped``. A character that cannot be printed is written as JSON
writes it (``\\u001b``, ``\\n``): so JSON text stays JSON and means the same, and escaping twice changes nothing.
"""

import json
from collections.abc import Iterable
from typing import Any


def escaped(text: str, encoding: str = "utf-8") -> str:
    """``text`` as one line of characters that can be printed (``str.isprintable``).

    ``encoding``: of the stream; when it lacks a character of ``text``, everything outside ASCII is escaped.
    """
    if not text.isprintable():
        text = "".join(char if char.isprintable() else _code(char) for char in text)
    try:
        text.encode(encoding)
    except UnicodeEncodeError:
        return "".join(char if char.isascii() else _code(char) for char in text)
    return text


def escaped_lines(text: str, encoding: str = "utf-8") -> str:
    """The same for text of several lines that we have made: its line breaks stay."""
    return "\n".join(escaped(line, encoding) for line in text.split("\n"))


def lines_of(lines: Iterable[str]) -> str:
    """Text of several lines from lines that may hold an item's text: none of them can forge another one."""
    return "\n".join(map(escaped, lines))


def escaped_values(value: Any) -> Any:
    """A JSON value with every text in it escaped, names too."""
    match value:
        case str():
            return escaped(value)
        case dict():
            return {escaped(str(name)): escaped_values(inner) for name, inner in value.items()}
        case list() | tuple():
            return [escaped_values(inner) for inner in value]
    return value


def _code(char: str) -> str:
    return json.dumps(char)[1:-1]
