"""The reference of every command, in Markdown, from the command line itself: its help and its options."""

import re
from collections.abc import Iterator

import click

from service.cli.commands import EXAMPLES
from service.cli.main import cli

SENTENCE_END = re.compile(r"(?<=[.!?]) (?=[A-Z`])")


def commands_reference() -> str:
    """A section for each command and subcommand: usage, help, examples, and a table of options."""
    return "\n".join(
        line for path, command in _commands(cli, "tablesplit") for line in _section(path, command)
    ).rstrip()


def _commands(group: click.Group, path: str) -> Iterator[tuple[str, click.Command]]:
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        yield f"{path} {name}", command
        if isinstance(command, click.Group):
            yield from _commands(command, f"{path} {name}")


def _section(path: str, command: click.Command) -> Iterator[str]:
    name = path.removeprefix("tablesplit ")
    yield f"{'###' if ' ' not in name else '####'} {name}"
    yield ""
    usage = " ".join([path, *command.collect_usage_pieces(click.Context(command))])
    yield from ["```text", usage, "```", ""]
    for paragraph in (command.help or "").split("\n\n"):
        yield from SENTENCE_END.split(" ".join(paragraph.split()))
        yield ""
    yield from ["```sh", *(f"tablesplit {line}" for line in EXAMPLES[name]), "```", ""]
    options = [option for option in command.params if isinstance(option, click.Option)]
    if options:
        yield from ["| option | meaning |", "|---|---|"]
        yield from map(_row, options)
        yield ""


def _row(option: click.Option) -> str:
    names = ", ".join(f"`{name}`" for name in option.opts + option.secondary_opts)
    meaning = " ".join((option.help or "").split()).replace("|", "\\|")
    return f"| {names}{_value(option)} | {meaning}{_bounds(option)} |"


def _value(option: click.Option) -> str:
    if option.is_flag:
        return ""
    if isinstance(option.type, click.Choice):
        return " " + ", ".join(f"`{choice}`" for choice in option.type.choices)
    if isinstance(option.type, click.IntRange | click.FloatRange) and option.metavar is None:
        return " `NUMBER`"
    return f" `{option.make_metavar(click.Context(cli))}`"


def _bounds(option: click.Option) -> str:
    bounds = option.type
    if isinstance(bounds, click.IntRange | click.FloatRange) and bounds.min is not None:
        limits = f"{bounds.min:g} to {bounds.max:g}" if bounds.max is not None else f"at least {bounds.min:g}"
        return f" ({limits})"
    return ""
