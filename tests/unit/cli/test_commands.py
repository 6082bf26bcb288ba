"""The list of commands: each is where it says, in a line of its own; what is misspelt, completed or asked for alone."""

import os
import sys
from collections.abc import Callable, Iterator
from importlib.metadata import version

import click
import pytest

from service.cli.commands import COMMANDS, EXAMPLES, SUMMARY_CHARACTERS
from service.cli.main import cli, main


def every(group: click.Group = cli, path: str = "") -> Iterator[tuple[str, click.Command]]:
    """Every command and subcommand by its path."""
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        yield f"{path}{name}", command
        if isinstance(command, click.Group):
            yield from every(command, f"{path}{name} ")


@pytest.mark.parametrize("name", COMMANDS)
def test_each_command_is_found_under_its_name(name: str) -> None:
    command = cli.get_command(click.Context(cli), name)
    assert command is not None
    assert command.name == name


def test_each_command_has_examples_of_its_own_and_nothing_else_has() -> None:
    found = dict(every())
    assert set(found) == set(EXAMPLES)
    for path, command in found.items():
        shown = command.get_help(click.Context(command, info_name=path))
        assert [line for line in shown.splitlines() if line.startswith(f"    tablesplit {path}")], path


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str, str]]:
    monkeypatch.setattr("shutil.get_terminal_size", lambda *_: os.terminal_size((80, 24)))

    def run(*words: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["tablesplit", *words])
        with pytest.raises(SystemExit) as ended:
            main()
        out, err = capsys.readouterr()
        return int(str(ended.value.code)), out, err

    return run


@pytest.mark.parametrize("group", [(), *((name,) for name, one in every() if isinstance(one, click.Group))])
def test_a_group_alone_prints_a_whole_line_for_each_command(run, group: tuple[str, ...]) -> None:
    status, out, err = run(*group)
    assert (status, err) == (0, "")
    assert run(*group, "--help")[1] == out
    below = {path.split()[-1] for path, _ in every() if path.split()[:-1] == list(group)}
    rows = [line.split(maxsplit=1) for line in out.splitlines() if line.startswith("  ")]
    told = {row[0]: row[1] for row in rows if len(row) == 2 and row[0] in below}
    assert set(told) == below
    assert all(len(summary) <= SUMMARY_CHARACTERS for summary in told.values()), told
    if not group:
        assert told == {name: listed.summary for name, listed in COMMANDS.items()}


@pytest.mark.parametrize(
    ("words", "meant"),
    [
        (("statsu",), " Did you mean status?"),
        (("roll-back",), " Did you mean rollback?"),
        (("conflicts", "resolv"), " Did you mean resolve?"),
        (("explain",), " Did you mean mapping explain?"),
        (("list",), " Did you mean verification list or quarantine list or conflicts list or audit list?"),
        (("fly",), ""),
    ],
)
def test_a_misspelt_command_is_met_with_the_nearest(run, words: tuple[str, ...], meant: str) -> None:
    status, _, err = run(*words)
    assert (status, err.splitlines()[0]) == (2, f"error: No such command {words[-1]!r}.{meant}")


@pytest.mark.parametrize("option", ["-V", "--version"])
def test_the_version_is_one_line(run, option: str) -> None:
    assert run(option) == (0, f"tablesplit, version {version('tablesplit')}\n", "")


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_asks_the_program_under_its_variable(run, shell: str) -> None:
    status, out, _ = run("completion", shell)
    assert status == 0
    assert f"_TABLESPLIT_COMPLETE={shell}_complete" in out


@pytest.mark.parametrize(
    ("words", "completed"),
    [
        ("tablesplit cut", ["plain,cutover"]),
        ("tablesplit conflicts re", ["plain,resolve"]),
        ("tablesplit sync --en", ["plain,--engine"]),
    ],
)
def test_the_program_completes(run, monkeypatch: pytest.MonkeyPatch, words: str, completed: list[str]) -> None:
    monkeypatch.setenv("_TABLESPLIT_COMPLETE", "bash_complete")
    monkeypatch.setenv("COMP_WORDS", words)
    monkeypatch.setenv("COMP_CWORD", str(len(words.split()) - 1))
    assert run() == (0, "".join(f"{one}\n" for one in completed), "")
