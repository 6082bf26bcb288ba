"""Options that are wrong, or contradict each other, are refused before anything is read."""

import click
import pytest
from click.testing import CliRunner

from service.cli.audit import audit
from service.cli.gate_settings import gate_settings


@pytest.mark.parametrize(
    ("command", "arguments", "said"),
    [
        (audit, ["verify", "--hash", "xyz"], "'xyz' is not a hash: it has 64 digits"),
        (audit, ["verify", "--hash", "a" * 63], "is not a hash"),
        (audit, ["verify", "--hash", "A" * 64], "is not a hash"),
        (gate_settings, ["--store"], "--store needs --why"),
        (gate_settings, ["--why", "x"], "--why and --force are for --store"),
        (gate_settings, ["--force", "hook"], "--why and --force are for --store"),
        (gate_settings, ["--store", "--why", "x", "--force", "hook"], "must be confirmed twice"),
        (gate_settings, ["--store", "--why", "x", "--force", "hook", "--yes"], "--force-again hook"),
    ],
)
def test_it_is_refused_with_what_is_wrong(command: click.Command, arguments: list[str], said: str) -> None:
    answer = CliRunner().invoke(command, arguments)
    assert answer.exit_code == 2
    assert said in " ".join(answer.output.split())
