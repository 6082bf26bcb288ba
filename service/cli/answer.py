"""A command's answer, and how an answer or an error is printed: text for people, one JSON document for programs."""

import json
import sys
from dataclasses import dataclass
from typing import Any

import click

from service.errors import Retryable, TablesplitError

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

    @property
    def exit_status(self) -> int:
        return 0 if self.ok else 1


def print_answer(answer: Answer, *, as_json: bool) -> None:
    """Print to stdout: with ``as_json`` the one JSON document, else the text."""
    if answer.long and not as_json and sys.stdout.isatty():
        click.echo_via_pager(answer.text)
        return
    print(json.dumps(answer.document, ensure_ascii=False, indent=2) if as_json else answer.text)


def print_error(error: TablesplitError, *, as_json: bool) -> None:
    """Print what is wrong, what to do and AWS's request id: a line each on stderr; with ``as_json`` also the error document on
    stdout."""
    remedy = error.remedy or (AGAIN if isinstance(error, Retryable) else "")
    print(f"error: {error.message}", file=sys.stderr)
    if remedy:
        print(f"what to do: {remedy}", file=sys.stderr)
    if error.request_id:
        print(f"AWS request id: {error.request_id}", file=sys.stderr)
    if as_json:
        document = {"error": {**error.to_json(), "remedy": remedy}}
        print(json.dumps(document, ensure_ascii=False, indent=2))
