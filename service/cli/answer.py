"""What a command answers, and how an answer or an error is printed: text for people, one JSON document for programs."""

import json
import sys
from dataclasses import dataclass
from typing import Any

from service.errors import Retryable, TablesplitError

AGAIN = "run the same command again: nothing that was done is lost"


@dataclass(frozen=True, slots=True)
class Answer:
    """A command's result. ``ok`` False means that the answer is no (differences found, a check not met): exit status 1.

    stopped: the command ends only when it is told to; after Ctrl-C that is status 3, after SIGTERM a clean end.
    """

    document: dict[str, Any]
    text: str
    ok: bool = True
    stopped: bool = False

    @property
    def exit_status(self) -> int:
        return 0 if self.ok else 1


def print_answer(answer: Answer, *, as_json: bool) -> None:
    """Print to stdout: with ``as_json`` the one JSON document, else the text."""
    print(json.dumps(answer.document, ensure_ascii=False, indent=2) if as_json else answer.text)


def print_error(error: TablesplitError, *, as_json: bool) -> None:
    """Say what is wrong and what to do: one line each on stderr, and with ``as_json`` the error document on stdout."""
    remedy = error.remedy or (AGAIN if isinstance(error, Retryable) else "")
    print(f"error: {error.message}", file=sys.stderr)
    if remedy:
        print(f"what to do: {remedy}", file=sys.stderr)
    if as_json:
        document = {"error": {"kind": error.kind, "message": error.message, "remedy": remedy}}
        print(json.dumps(document, ensure_ascii=False, indent=2))
