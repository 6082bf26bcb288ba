"""Colours and marks: on a terminal that shows them only, and never in what a program reads."""

import io

import pytest

from service.cli.style import coloured
from service.core.phases.gate import Condition, Gate, GateClosed

GREEN, RED, PLAIN = "\x1b[32m", "\x1b[31m", "\x1b[0m"
TEXT = """gate to dual: closed
  ok  backfill finished
  NO  quiet    3 s
ok      caller
error: no
forward caught up
lane not caught up
book ok  x"""


class Screen(io.TextIOWrapper):
    """A stream of this encoding that says whether it is a terminal."""

    def __init__(self, encoding: str = "utf-8", *, terminal: bool = True) -> None:
        super().__init__(io.BytesIO(), encoding=encoding)
        self._terminal = terminal

    def isatty(self) -> bool:
        return self._terminal


@pytest.fixture(autouse=True)
def terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")


def test_a_terminal_gets_marks_and_colours() -> None:
    assert coloured(TEXT, Screen()).split("\n") == [
        "gate to dual: closed",
        f"  {GREEN}✓  {PLAIN} backfill finished",
        f"  {RED}✗  {PLAIN} quiet    3 s",
        f"{GREEN}✓  {PLAIN}     caller",
        f"{RED}error:{PLAIN} no",
        f"forward {GREEN}caught up{PLAIN}",
        f"lane {RED}not caught up{PLAIN}",
        "book ok  x",
    ]


def test_where_the_marks_cannot_be_shown_the_words_stay() -> None:
    assert f"  {GREEN}ok {PLAIN} backfill" in coloured(TEXT, Screen("ascii"))


@pytest.mark.parametrize(("name", "value"), [("NO_COLOR", "1"), ("TERM", "dumb")])
def test_who_wants_no_colours_gets_none(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    monkeypatch.setenv(name, value)
    assert coloured(TEXT, Screen()) == TEXT


def test_a_file_gets_the_text_as_it_is() -> None:
    assert coloured(TEXT, Screen(terminal=False)) == TEXT


def test_a_gate_has_words_instead_of_values_of_the_program() -> None:
    gate = Gate(
        "dual",
        (
            Condition("reverse_caught_up", False, True, False, None, "wait"),
            Condition("quarantine", 3, 0, False, None, "see"),
            Condition("lag", None, "at least 3600 s", False, None, "wait"),
        ),
    )
    rows = [" ".join(line.split()) for line in gate.to_text().split("\n") if line.startswith(("  ok", "  NO"))]
    assert rows == [
        "NO reverse_caught_up no (wanted: yes)",
        "NO quarantine 3 (wanted: 0)",
        "NO lag none (wanted: at least 3600 s)",
    ]
    assert (
        "reverse_caught_up is no, wanted yes; quarantine is 3, wanted 0; lag is none, wanted"
        in GateClosed(gate).message
    )
