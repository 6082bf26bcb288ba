"""Commands are imported when they are called: each is where the list says."""

import click
import pytest

from service.cli.main import COMMANDS, cli


@pytest.mark.parametrize("name", COMMANDS)
def test_each_command_is_found_under_its_name(name: str) -> None:
    command = cli.get_command(click.Context(cli), name)
    assert command is not None
    assert command.name == name
    assert command.get_short_help_str() != ""
