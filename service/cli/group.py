"""Groups of commands: alone they print their help, a misspelt command is met with the nearest one, a line has each command."""

from collections.abc import Iterable
from difflib import get_close_matches

import click


class CommandGroup(click.Group):
    """A group whose list has a whole line for each command."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if not args and not ctx.resilient_parsing:
            click.echo(ctx.get_help())
            ctx.exit()
        return super().parse_args(ctx, args)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        name = args[0]
        if self.get_command(ctx, name) is None and not name.startswith("-") and not ctx.resilient_parsing:
            near = get_close_matches(name, self.list_commands(ctx), n=2) or self._inner(ctx, name)
            meant = f" Did you mean {' or '.join(near)}?" if near else ""
            ctx.fail(f"No such command {name!r}.{meant}")
        return super().resolve_command(ctx, args)

    def _inner(self, ctx: click.Context, name: str) -> list[str]:
        """The commands of that name in the groups of this one, such as `mapping explain` for `explain`."""
        groups = ((group, self.get_command(ctx, group)) for group in self.list_commands(ctx))
        return [f"{group} {name}" for group, one in groups if isinstance(one, click.Group) and name in one.commands]

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        summaries = ((name, _summary(self.get_command(ctx, name))) for name in self.list_commands(ctx))
        write_list(formatter, "Commands", summaries)


def write_list(formatter: click.HelpFormatter, title: str, rows: Iterable[tuple[str, str]]) -> None:
    """A section of the help, with a line for each row: name and summary."""
    with formatter.section(title):
        formatter.write_dl(list(rows))


def _summary(command: click.Command | None) -> str:
    """What a command does, in a line: its short help, or the first sentence of its help."""
    assert command is not None
    return command.short_help or " ".join((command.help or "").split()).partition(". ")[0].rstrip(".")
