"""A command's answer, and how an answer or an error is printed: text for people, one JSON document for programs."""

import json
import sys
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from service.cli.output import print_text, say
from service.errors import Fatal, Retryable, TablesplitError

AGAIN = "run the same command again: nothing that was done is lost"


@dataclass(frozen=True, slots=True)
class Answer:
    """A command's result."""

    document: dict[str, Any]
    """For ``--json``."""

    text: str
    ok: bool = True
    """False: the answer is no (differences found, a check not met), exit status 1."""

    long: bool = False
    """True: the text may have thousands of lines, so a terminal shows it page by page."""

    stopped: bool = False
    """True: a command that runs until it is stopped. After Ctrl-C its exit status is 3, after SIGTERM 0."""

    shown: bool = False
    """True: a viewer, which has shown everything as it came. Ctrl-C is its ordinary end."""

    @property
    def exit_status(self) -> int:
        return 0 if self.ok else 1


def print_answer(answer: Answer, *, as_json: bool) -> None:
    """Print to stdout: with ``as_json`` the one JSON document, else the text. Nothing where it has been shown."""
    if answer.shown:
        return
    text = json_text(answer.document) if as_json else answer.text
    print_text(text, paged=answer.long and not as_json and sys.stdout.isatty())


def json_text(document: dict[str, Any]) -> str:
    """The document for programs."""
    return json.dumps(document, ensure_ascii=False, indent=2)


def print_error(error: TablesplitError, *, as_json: bool) -> None:
    """Print what is wrong, what to do and AWS's request id: a line each on stderr; with ``as_json`` also the error document on
    stdout."""
    remedy = error.remedy or (AGAIN if isinstance(error, Retryable) else "")
    first, *more = error.lines
    for line in (f"error: {first}", *more):
        say(line)
    if remedy:
        say(f"what to do: {remedy}")
    if error.request_id:
        say(f"AWS request id: {error.request_id}")
    if as_json:
        with suppress(Fatal):  # stderr has it
            print_text(json_text({"error": {**error.to_json(), "remedy": remedy}}))
