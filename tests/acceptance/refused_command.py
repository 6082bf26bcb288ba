"""Checks a command's refusal: the exact line, the remedy and the exit status, as text and as JSON."""

import json
from collections.abc import Callable

from tests.acceptance.in_process import World

Row = tuple[Callable[[World], None], tuple[str, ...], int, str]


def nothing(_: World) -> None:
    """Arrange nothing: the world stays as it is."""


def check(world: World, arrange: Callable[[World], None], command: tuple[str, ...], status: int, line: str) -> None:
    """Assert the exact line and a remedy on stderr and nothing on stdout; with --json the same, as one document on stdout."""
    arrange(world)
    result = world.run(*command)
    expected = line.replace("OLD_TABLE", world.name("OLD_TABLE_NAME")).replace("PREFIX-", world.prefix)
    assert (result.status, result.line.removeprefix(f"{world.folder}/")) == (status, expected)
    said = [line for line in result.err.splitlines() if not line.startswith("migration: ")]
    assert said[1].startswith("what to do: ")
    assert result.out == "" or "--json" in command
    again = world.run(*command, *(() if "--json" in command else ("--json",)))
    error = json.loads(again.out)["error"]
    assert (again.status, error["message"]) == (status, result.line)
    assert error["kind"] in {"misconfigured", "refused", "fatal", "retryable"}
    assert error["remedy"]
