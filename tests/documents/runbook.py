"""The runbook as a list of commands with what each prints, by section, to be run in the order that a test tells."""

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

RUNBOOK = Path(__file__).parents[2] / "deploy" / "RUNBOOK.md"
BLOCK = re.compile(r"```(sh|text)\n(.*?)```", re.DOTALL)
SECTION = re.compile(r"^## (.+)$", re.MULTILINE)


@dataclass(frozen=True)
class Command:
    """A line of a ``sh`` block. shown: the lines of the ``text`` block below it, in which ``…`` stands for anything."""

    section: str
    line: str
    shown: tuple[str, ...] = ()

    @property
    def words(self) -> list[str]:
        return shlex.split(self.line)

    def unlike(self, output: str) -> list[str]:
        """The shown lines that the output does not have, in their order."""
        rest = output
        missing = []
        for line in self.shown:
            found = re.search(".*".join(re.escape(part) for part in line.split("…")), rest)
            if found is None:
                missing.append(line)
            else:
                rest = rest[found.end() :]
        return missing


def anchor(heading: str) -> str:
    """A heading's anchor, as GitHub makes it."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


def sections() -> dict[str, str]:
    """The text of each section by its anchor."""
    parts = SECTION.split(RUNBOOK.read_text(encoding="utf-8"))
    return {anchor(heading): text for heading, text in zip(parts[1::2], parts[2::2], strict=True)}


def commands() -> Iterator[Command]:
    """Every command, in the document's order."""
    for section, text in sections().items():
        blocks = BLOCK.findall(text)
        for n, (kind, content) in enumerate(blocks):
            if kind != "sh":
                continue
            *before, last = content.strip().splitlines()
            follows = blocks[n + 1] if n + 1 < len(blocks) and blocks[n + 1][0] == "text" else ("", "")
            yield from (Command(section, line) for line in before)
            yield Command(section, last, tuple(follows[1].strip().splitlines()))


def compose_commands() -> list[Command]:
    """Those for Docker Compose; a test with an engine runs them."""
    return [one for one in commands() if one.words[0] == "docker"]


@dataclass
class Book:
    """The commands of tablesplit, of which each is to be used once."""

    unused: list[Command] = field(default_factory=lambda: [one for one in commands() if one.words[0] == "tablesplit"])

    def use(self, section: str, begins: str) -> Command:
        """The section's next command that begins so."""
        found = next(one for one in self.unused if one.section == section and one.line.startswith(begins))
        self.unused.remove(found)
        return found
