"""The design's rules (section 12: guard, code, tests) name only what exists, and every mutation of the convergence tests."""

import ast
import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest

from tests.convergence.kcl_mutations import MUTATIONS as KCL_MUTATIONS
from tests.convergence.live_mutations import MUTATIONS as LIVE_MUTATIONS
from tests.convergence.mutations import MUTATIONS
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


@dataclass(frozen=True)
class Rule:
    """A rule of section 12: what it says, the condition that enforces it, and the names of its code and tests."""

    text: str
    guard: str
    code: list[str]
    tests: list[str]


def rules() -> list[Rule]:
    """Every rule of section 12: a bold line, and below it a list of ``Guard:``, ``Code:`` and ``Test:``."""
    section = (ROOT / "docs/DESIGN.md").read_text(encoding="utf-8").split(f"\n{RULES}\n")[1].split("\n## ")[0]
    found = re.findall(r"^\*\*(.+)\*\*\n\n((?:(?:- |  ).*\n?)+)", section, re.MULTILINE)
    return [_rule(text, entries) for text, entries in found]


def _rule(text: str, entries: str) -> Rule:
    guard = re.search(r"^- Guard: (.+)$", entries, re.MULTILINE)
    code, tests = (re.findall(rf"^- {kind}: `(.+)`$", entries, re.MULTILINE) for kind in ("Code", "Test"))
    return Rule(text, guard[1] if guard else "", code, tests)


def named(text: str) -> list[str]:
    return re.findall(r"`([^`]+)`", text)


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


def test_there_is_a_rule_for_every_invariant() -> None:
    text = (ROOT / "docs/DESIGN.md").read_text(encoding="utf-8").split(RULES)[-1]
    assert [number for number in range(1, 9) if f"I{number} " not in text] == []
    assert len(rules()) > 100


@pytest.mark.parametrize("rule", rules(), ids=lambda rule: rule.text)
def test_a_rule_names_code_guard_and_tests_that_exist(rule: Rule) -> None:
    assert rule.guard
    assert rule.code
    assert rule.tests
    for path, _, name in (place.partition("::") for place in rule.code):
        assert exists(ROOT / path, name), f"{path} has no {name}"
    for file, _, name in (test.partition("::") for test in rule.tests if not test.startswith("[")):
        modules = list((ROOT / "tests").rglob(file))
        assert len(modules) == 1, f"{file} is not one test module"
        assert exists(modules[0], name), f"{file} has no {name}"


def test_the_mutations_are_those_of_the_convergence_tests() -> None:
    named_mutations = {test.strip("[]") for rule in rules() for test in rule.tests if test.startswith("[")}
    both = {mutation.name for mutation in (*MUTATIONS, *TWO_WAY_MUTATIONS)}
    assert named_mutations == both | set(LIVE_MUTATIONS) | set(KCL_MUTATIONS)


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
