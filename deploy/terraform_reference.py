"""The tables of inputs and outputs of a Terraform module, made from its ``variable`` and ``output`` blocks."""

import re
from collections.abc import Iterator
from pathlib import Path

TERRAFORM = Path(__file__).parent / "terraform"
BLOCK = re.compile(r'^(variable|output) "(\w+)" \{\n(.*?)^\}', re.MULTILINE | re.DOTALL)
DESCRIPTION = re.compile(r'^  description = "(.*)"$', re.MULTILINE)
TYPE = re.compile(r"^  type +(?:= )?(.*)$", re.MULTILINE)
DEFAULT = re.compile(r"^  default +(?:= )?(.*)$", re.MULTILINE)


def module_tables(folder: Path = TERRAFORM) -> str:
    """A table of the inputs, those that must be given first, and one of the outputs."""
    inputs = sorted(_blocks(folder, "variable"), key=lambda block: (DEFAULT.search(block[1]) is not None, block[0]))
    return "\n".join(
        [
            *("| input | type | default | meaning |", "|---|---|---|---|"),
            *(f"| `{name}` | {_type(body)} | {_default(body)} | {_meaning(body)} |" for name, body in inputs),
            "",
            *("| output | meaning |", "|---|---|"),
            *(f"| `{name}` | {_meaning(body)} |" for name, body in sorted(_blocks(folder, "output"))),
        ]
    )


def _blocks(folder: Path, kind: str) -> Iterator[tuple[str, str]]:
    for path in sorted(folder.glob("*.tf")):
        for found, name, body in BLOCK.findall(path.read_text(encoding="utf-8")):
            if found == kind:
                yield name, body


def _meaning(body: str) -> str:
    found = DESCRIPTION.search(body)
    return found[1].replace("|", r"\|") if found else ""


def _type(body: str) -> str:
    """The type; one of several lines is a map of objects, whose attributes its block shows."""
    found = TYPE.search(body)
    text = found[1].lstrip("= ") if found else ""
    return f"`{text}`" if not text.endswith("{") else "`map(object)`"


def _default(body: str) -> str:
    found = DEFAULT.search(body)
    if found is None:
        return "**must be given**"
    value = found[1].lstrip("= ")
    return "see the file" if value == "{" else f"`{value}`"
