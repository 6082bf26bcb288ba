"""Every command line in the documents is one that tablesplit takes: the command is there, and so are its options."""

import re
import shlex
from collections.abc import Iterator

import click
import pytest

from service.cli.main import cli
from tests.documents.pages import ROOT, documents, other_pages

WRITTEN = re.compile(r"^(?:docker compose run --rm cli|tablesplit) (.*?)(?: &)?(?: +#.*)?$", re.MULTILINE)
INLINE = re.compile(r"`tablesplit ([^`]+)`")
SHELL = re.compile(r"```sh\n(.*?)```", re.DOTALL)


def commands_of(page: str) -> Iterator[str]:
    """The command lines of the page's shell blocks and of its text, without the program's name."""
    text = (ROOT / page).read_text(encoding="utf-8")
    for block in SHELL.findall(text):
        yield from WRITTEN.findall(block)
    yield from INLINE.findall(text)


def refusal(line: str) -> str | None:
    """What click says against the command line, which is parsed and not run."""
    words = shlex.split(line)
    command: click.Command = cli
    context = click.Context(cli, info_name="tablesplit")
    while isinstance(command, click.Group) and words and not words[0].startswith("-"):
        name = words.pop(0)
        found = command.get_command(context, name)
        if found is None:
            return f"no command {name}"
        command = found
    try:
        command.make_context("tablesplit", words, resilient_parsing=isinstance(command, click.Group))
    except click.MissingParameter:
        return None  # the text names the command, without its arguments
    except click.exceptions.Exit:
        return None  # --help, --version
    except click.UsageError as error:
        return error.format_message()
    return None


@pytest.mark.parametrize("page", [*documents(), *other_pages()])
def test_every_command_line_can_be_given(page: str) -> None:
    refused = {line: refusal(line) for line in commands_of(page) if not line.startswith(("…", "..."))}
    assert {line: why for line, why in refused.items() if why} == {}


def test_a_wrong_one_is_refused() -> None:
    assert refusal("migrate --max-costs 3")
    assert refusal("conflict list") == "no command conflict"
    assert refusal("cutover --wait 300 --why 'moving to v2'") is None
