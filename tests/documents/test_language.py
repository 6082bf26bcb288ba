"""The documents can be read in an editor and in a diff: short lines, one sentence each; links, paths and quotations are true."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from service.cli.main import COMMANDS
from service.core.phases.moves import FIRST_DUAL, LATER
from service.rehearsal.moves import TimedMove
from tests.documents.pages import CODE, ROOT, Line, documents, headings, lines, links, other_pages

LONGEST = 160

ONE_SENTENCE_AFTER_ANOTHER = re.compile(r"(?<!\d)(?<!\.\.)[.!?] +(?=[A-Z`\[*\"(])")
PATH = re.compile(r"`((?:service|backfill|tests|deploy|docs|bench|examples)/[\w./-]+)`")
QUOTED = re.compile(r"^- `([^`]+)`")

DEMO = re.compile(r"```text\n(?:\$ make demo\n)?(.*?^demo: .*?)```", re.MULTILINE | re.DOTALL)
"""The end of what the demonstration prints."""
MOVE_LINE = re.compile(r"^(?P<command>\S+(?: --\w+)?) +to (?P<phase>\w+) +[\d.]+ s \((?P<seconds>.*)\)$")
BEGINNING = re.compile(r"^[^\d:]+(?:: (?:OK )?)?")
TOTAL = re.compile(r" +[\d.]+ s \(")


@pytest.mark.parametrize("page", documents())
def test_no_line_is_longer_than_an_editor_is_wide(page: str) -> None:
    assert [str(line) for line in lines(page) if len(line.text) > LONGEST] == []


@pytest.mark.parametrize("page", documents())
def test_each_sentence_has_its_own_line(page: str) -> None:
    prose = (line for line in lines(page) if not line.text.startswith("|"))
    assert [str(line) for line in prose if ONE_SENTENCE_AFTER_ANOTHER.search(line.text)] == []


@pytest.mark.parametrize("page", [*documents(), *other_pages()])
def test_links_lead_to_files_and_anchors_that_are_there(page: str) -> None:
    assert [str(line) for line, target in links(page) if not _is_there(page, target)] == []


@pytest.mark.parametrize("page", documents())
def test_every_path_that_a_page_names_is_there(page: str) -> None:
    named = ((line, path) for line in lines(page) for path in PATH.findall(line.text))
    assert [str(line) for line, path in named if not (ROOT / path).exists()] == []


def test_every_message_that_is_quoted_is_in_the_code() -> None:
    said = [*_texts()]
    missing = [
        f"{line.page}:{line.number}: {fragment!r}"
        for line, quotation in _quotations()
        for fragment in quotation.split("...")
        if fragment.strip() and not any(fragment.strip() in text for text in said)
    ]
    assert missing == []


@pytest.mark.parametrize("page", ["README.md", "docs/getting-started.md"])
def test_the_end_of_the_demonstration_is_shown_in_the_codes_words(page: str) -> None:
    (block,) = DEMO.findall((ROOT / page).read_text(encoding="utf-8"))
    texts = [*_texts()]
    for line in block.splitlines():
        move = MOVE_LINE.match(line)
        if move:
            assert _same_move(line, move)
        else:
            assert any(BEGINNING.findall(line)[0] in text for text in texts), line


def _same_move(line: str, shown: re.Match[str]) -> bool:
    """Whether the code would print this line, up to its total; and whether the steps are those of a move, in order."""
    gate, *steps = ((name, float(seconds)) for name, seconds in (part.split() for part in shown["seconds"].split(", ")))
    move = TimedMove(shown["command"], shown["phase"], gate[1], dict(steps))  # type: ignore[arg-type]
    printed = TOTAL.sub(" (", move.to_text()) == TOTAL.sub(" (", line)
    return printed and tuple(move.steps) in (FIRST_DUAL, LATER)


def test_every_command_says_whether_it_can_be_undone() -> None:
    section = (
        (ROOT / "docs" / "commands.md")
        .read_text(encoding="utf-8")
        .partition("## Can it be undone")[2]
        .partition("\n## ")[0]
    )
    terms = [line for line in section.splitlines() if line.startswith("`")]
    named = {code.strip("`").split(" ")[0] for term in terms for code in CODE.findall(term)}
    assert named == set(COMMANDS)


def _is_there(page: str, target: str) -> bool:
    path, _, anchor = target.partition("#")
    file = (ROOT / page).parent / path if path else ROOT / page
    if not file.exists():
        return False
    return not anchor or anchor in headings(str(file.resolve().relative_to(ROOT)))


def _quotations() -> Iterator[tuple[Line, str]]:
    for line in lines("docs/troubleshooting.md"):
        quotation = QUOTED.match(line.text)
        if quotation:
            yield line, quotation[1]


def _texts() -> Iterator[str]:
    """Every text of the program; of a text with values in it, each part between them."""
    for folder in ("service", "backfill"):
        for path in (ROOT / folder).rglob("*.py"):
            yield from _texts_of(path)


def _texts_of(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value
