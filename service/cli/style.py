"""Colours and marks of what a command prints, on a terminal that shows them; everywhere else the text stays as it is.

NO_COLOR is respected (https://no-color.org), and a terminal that calls itself dumb gets none either.
"""

import os
import re
from collections.abc import Iterator
from typing import TextIO

import click

COLOURS = (
    (re.compile(r"^( *)ok (?= )"), "green", "✓"),
    (re.compile(r"^( +)NO (?= )"), "red", "✗"),
    (re.compile(r"^()(?:error:)"), "red", ""),
    (re.compile(r"^()(?:what to do:)"), "yellow", ""),
    (re.compile(r"\b()(?:STOPPED|not caught up|BROKEN|FAILED|DIFFERENT|REJECTED)\b"), "red", ""),
    (re.compile(r"(?<!not )\b()caught up\b"), "green", ""),
)
"""What is coloured, and the mark that stands for it where the terminal can show it."""


def is_coloured(stream: TextIO) -> bool:
    """Whether what is written there may have colours."""
    return stream.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def coloured(text: str, stream: TextIO) -> str:
    """``text``, which has been escaped, as ``stream`` shows it."""
    return "\n".join(_lines(text, stream)) if is_coloured(stream) else text


def _lines(text: str, stream: TextIO) -> Iterator[str]:
    for line in text.split("\n"):
        for pattern, colour, mark in COLOURS:
            found = pattern.search(line)
            if found is not None:
                shown = f"{mark}  " if mark and _can_show(mark, stream) else found.group().removeprefix(found[1])
                yield f"{line[: found.start()]}{found[1]}{click.style(shown, fg=colour)}{line[found.end() :]}"
                break
        else:
            yield line


def _can_show(mark: str, stream: TextIO) -> bool:
    try:
        mark.encode(stream.encoding or "utf-8")
    except UnicodeEncodeError:
        return False
    return True
