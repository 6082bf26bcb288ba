"""The entry point: the group of all commands, each imported when it is called, and usage errors in our form."""

import sys
from contextlib import suppress
from importlib import import_module

import click
from click.shell_completion import CompletionItem

from service.cli.answer import print_error
from service.cli.commands import COMMANDS, GROUPS, NAME_CHARACTERS, with_examples
from service.cli.group import CommandGroup, write_list
from service.cli.output import ensure_streams, writable_stdout
from service.errors import Fatal, Misconfigured, TablesplitError, as_ours


class _Commands(CommandGroup):
    """Imports only the module of the command that is called: most commands need neither the HTTP side nor the demonstration, whose
    imports take as long as all the others together."""

    def list_commands(self, _ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, _ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module, attribute = COMMANDS[cmd_name].place.split(":")
        command = getattr(import_module(f"service.cli.{module}"), attribute)
        assert isinstance(command, click.Command)
        return with_examples(command, cmd_name)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002 (click's)
        for title, group in GROUPS.items():
            write_list(
                formatter, title, ((name.ljust(NAME_CHARACTERS), listed.summary) for name, listed in group.items())
            )

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """Without importing a command: a shell waits for it."""
        names = [name for name in COMMANDS if name.startswith(incomplete)]
        commands = [CompletionItem(name, help=COMMANDS[name].summary) for name in names]
        return [*commands, *click.Command.shell_complete(self, ctx, incomplete)]


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(None, "-V", "--version", package_name="tablesplit")
def cli() -> None:
    """Move a live DynamoDB single table into v2 tables while the application keeps writing.

    Every command reads its configuration from the environment (and from .env): see docs/settings.md. Exit status: 0
    success, 1 the answer is no, 2 wrong usage or configuration, 3 a failure while the command ran. `tablesplit COMMAND --help`
    explains a command, with examples.
    """


def main() -> None:
    """Run the command line and exit."""
    run_as_program(cli, "tablesplit")


def run_as_program(command: click.Command, name: str) -> None:
    """Run ``command`` and exit with its status. However it ends, what is wrong takes a line or two and never a traceback."""
    ensure_streams()
    try:
        _require_text(sys.argv[1:])
        command.main(prog_name=name, standalone_mode=False)
        with writable_stdout():  # what click has printed
            sys.exit(0)
    except click.exceptions.Exit as stop:
        sys.exit(stop.exit_code)
    except click.Abort:  # Ctrl-C at a question, or before the command has begun
        if "--watch" in sys.argv[1:]:
            sys.exit(0)
        error: TablesplitError = Misconfigured("stopped before it began: nothing was changed")
    except click.UsageError as usage:
        where = usage.ctx.command_path if usage.ctx else name
        line = " ".join(usage.format_message().split())  # click puts choices below each other
        error = Misconfigured(line, remedy=f"see `{where} --help`")
    except TablesplitError as known:
        error = known
    except Exception as unexpected:  # noqa: BLE001 (a traceback tells an operator nothing)
        error = as_ours(unexpected)
    with suppress(Fatal), writable_stdout():  # what is left to write would fail once more when Python ends
        pass
    print_error(error, as_json="--json" in sys.argv[1:])
    sys.exit(error.exit_status)


def _require_text(arguments: list[str]) -> None:
    """Raises Misconfigured for bytes that are no text: Python makes half characters of them, which nothing can store."""
    for argument in arguments:
        try:
            argument.encode()
        except UnicodeEncodeError as error:
            raise Misconfigured(f"the argument {argument} is not UTF-8 text", remedy="correct it") from error
