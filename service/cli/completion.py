"""`completion`: what a shell needs to complete commands and options."""

import click
from click.shell_completion import get_completion_class

VARIABLE = "_TABLESPLIT_COMPLETE"
"""Under which click, asked by the shell, completes."""


@click.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def completion(shell: str) -> None:
    """Print the completion of commands and options for a shell: bash (4.4 or later), zsh or fish.

    Where a shell looks for it: bash in ~/.local/share/bash-completion/completions/tablesplit, fish in
    ~/.config/fish/completions/tablesplit.fish, zsh in a file _tablesplit of a folder in its fpath.
    """
    root = click.get_current_context().find_root().command
    kind = get_completion_class(shell)
    assert kind is not None
    click.echo(kind(root, {}, "tablesplit", VARIABLE).source())
