"""The design's table rule -> code -> guard -> test names only what exists, and every mutation of the convergence tests."""

import ast
import re
from functools import cache
from pathlib import Path

import pytest

from tests.convergence.mutations import MUTATIONS
from tests.convergence.test_live_kcl import MUTATIONS as KCL_MUTATIONS
from tests.convergence.test_live_mutations import MUTATIONS as LIVE_MUTATIONS
from tests.two_way.mutations import MUTATIONS as TWO_WAY_MUTATIONS

ROOT = Path(__file__).parents[2]
PAGES = (
    "README.md",
    "CONTRIBUTING.md",
    "docs/DESIGN.md",
    "docs/MAPPING.md",
    "docs/SCALE.md",
    "docs/RELEASING.md",
    "docs/glossary.md",
    "docs/model/README.md",
    "deploy/RUNBOOK.md",
    "examples/README.md",
    *sorted(map(str, ROOT.glob("docs/decisions/*"))),
    *sorted(map(str, ROOT.glob("deploy/*/README.md"))),
)
RULES = "## 12. Rule, code, guard, test"
MODELS = "## 14. Models, code and tests"
INTERLEAVINGS = "tests/two_way/test_interleavings.py"
"""Where a test of section 14 is that is named without a file."""


def rows() -> list[list[str]]:
    """The table's rows of rules, each as its four cells; rows that only name a section are left out."""
    section = (ROOT / "docs/DESIGN.md").read_text(encoding="utf-8").split(f"\n{RULES}\n")[1].split("\n## ")[0]
    cells = [re.split(r"(?<!\\)\|", line)[1:-1] for line in section.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in row] for row in cells[2:] if row[1].strip()]


def named(cell: str) -> list[str]:
    return re.findall(r"`([^`]+)`", cell)


@cache
def definitions(path: Path) -> frozenset[str]:
    """What a module defines: names, and ``Class.method``."""
    found = set()
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            found.add(node.name)
        if isinstance(node, ast.ClassDef):
            found |= {
                f"{node.name}.{one.name}"
                for one in node.body
                if isinstance(one, ast.FunctionDef | ast.AsyncFunctionDef)
            }
    return frozenset(found)


def exists(path: Path, name: str) -> bool:
    return path.is_file() and (not name or name in definitions(path))


def test_the_table_has_a_row_for_every_invariant() -> None:
    text = (ROOT / "docs/DESIGN.md").read_text(encoding="utf-8").split(RULES)[-1]
    assert [number for number in range(1, 9) if f"I{number} " not in text] == []
    assert len(rows()) > 40


@pytest.mark.parametrize("row", rows(), ids=lambda row: row[0])
def test_a_rule_names_code_guard_and_tests_that_exist(row: list[str]) -> None:
    _, code, guard, tests = row
    assert guard
    assert named(code)
    assert named(tests)
    for path, _, name in (one.partition("::") for one in named(code)):
        assert exists(ROOT / path, name), f"{path} has no {name}"
    for file, _, name in (one.partition("::") for one in named(tests) if not one.startswith("[")):
        found = list((ROOT / "tests").rglob(file))
        assert len(found) == 1, f"{file} is not one test module"
        assert exists(found[0], name), f"{file} has no {name}"


def test_the_mutations_are_those_of_the_convergence_tests() -> None:
    said = {one.strip("[]") for row in rows() for one in named(row[3]) if one.startswith("[")}
    both = {mutation.name for mutation in (*MUTATIONS, *TWO_WAY_MUTATIONS)}
    assert said == both | set(LIVE_MUTATIONS) | set(KCL_MUTATIONS)


def test_the_models_section_names_code_tests_and_mutants_that_exist_and_every_mutant() -> None:
    names = named((ROOT / "docs/DESIGN.md").read_text(encoding="utf-8").split(f"\n{MODELS}\n")[1])
    files = [name.partition("::") for name in names if "/" in name]
    tests = [(INTERLEAVINGS, "", name) for name in names if name.startswith("test_")]
    absent = [f"{path}::{name}" for path, _, name in (*files, *tests) if name and not exists(ROOT / path, name)]
    assert absent == []
    mutants = {path.stem for path in (ROOT / "docs/model/mutants").glob("*.cfg")}
    assert {name for name in names if re.fullmatch(r"[A-Z]\w+(-\w+)+", name)} == mutants


@pytest.mark.parametrize("page", PAGES, ids=str)
def test_every_definition_that_a_page_names_exists(page: str) -> None:
    text = (ROOT / page).read_text(encoding="utf-8").split(f"\n{RULES}\n")[0]
    places = re.findall(r"`((?:service|backfill)/[\w/]+\.py)::([\w.]+)`", text)
    assert [f"{path}::{name}" for path, name in places if not exists(ROOT / path, name)] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: Path(page).name)
def test_every_path_that_a_page_names_exists(page: str) -> None:
    here = ROOT / page
    text = here.read_text(encoding="utf-8")
    linked = [here.parent / link for link in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", text)]
    quoted = [ROOT / path for path in re.findall(r"`((?:service|backfill|tests|docs)/[\w/.-]+)`", text)]
    assert [str(path) for path in (*linked, *quoted) if not path.exists()] == []
