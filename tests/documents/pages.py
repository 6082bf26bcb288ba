"""The documents as tests read them: their lines, headings and links, without code fences and generated tables."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.documents.runbook import anchor

ROOT = Path(__file__).parents[2]
FRONT = ("README.md", "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md")
"""The documents in the root of the repository."""

FENCE = re.compile(r"^\s*```")
MADE = re.compile(r"^<!-- .*\b(made|written) by\b")
END = re.compile(r"^<!-- (end of .*|.*: end) -->")
HEADING = re.compile(r"^#{1,6} +(.+?) *$")
LINK = re.compile(r"\]\(([^)\s]+)\)")
CODE = re.compile(r"`[^`]+`")


@dataclass(frozen=True)
class Line:
    """A line of prose or of a hand-written table."""

    page: str
    number: int
    text: str

    def __str__(self) -> str:
        return f"{self.page}:{self.number}: {self.text}"


def documents() -> list[str]:
    """The front documents and all of docs/, as paths in the repository."""
    return [*FRONT, *sorted(str(path.relative_to(ROOT)) for path in (ROOT / "docs").rglob("*.md"))]


def other_pages() -> list[str]:
    """The runbook, and the READMEs outside docs/ that are pages of the site."""
    return [
        "deploy/RUNBOOK.md",
        "examples/README.md",
        *(f"deploy/{name}/README.md" for name in ("grafana", "kcl", "terraform")),
    ]


def lines(page: str) -> Iterator[Line]:
    """The page's lines outside code fences and generated tables."""
    inside = made = False
    for number, text in enumerate((ROOT / page).read_text(encoding="utf-8").splitlines(), 1):
        made = (made or bool(MADE.match(text))) and not END.match(text)
        if FENCE.match(text):
            inside = not inside
        elif not inside and not made:
            yield Line(page, number, text)


def headings(page: str) -> set[str]:
    """The anchors of the page's headings, as GitHub makes them. Generated sections have theirs too."""
    found: dict[str, int] = {}
    inside = False
    for text in (ROOT / page).read_text(encoding="utf-8").splitlines():
        inside ^= bool(FENCE.match(text))
        heading = None if inside else HEADING.match(text)
        if heading:
            name = anchor(re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading[1]))
            found[name] = found.get(name, -1) + 1
    return {name if n == 0 else f"{name}-{n}" for name, last in found.items() for n in range(last + 1)}


def links(page: str) -> Iterator[tuple[Line, str]]:
    """Every link of the page to something in the repository."""
    for line in lines(page):
        for target in LINK.findall(CODE.sub("", line.text)):
            if not re.match(r"[a-z]+:", target):
                yield line, target
