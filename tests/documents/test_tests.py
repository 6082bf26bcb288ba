"""What tests are built from is kept apart from the tests: who imports what below tests/, read from the imports themselves."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
MODULES = sorted(
    path.relative_to(ROOT).as_posix()
    for folder in ("tests", "service", "backfill", "bench", "deploy", "docs")
    for path in (ROOT / folder).rglob("*.py")
)
BUILT_FROM = {
    "tests/builders": ("tests.builders",),
    "tests/fakes": ("tests.fakes",),
    "tests/worlds": ("tests.builders", "tests.fakes", "tests.worlds"),
}
"""What the modules of a folder may import below tests/."""


def imports(module: str) -> Iterator[tuple[str, str]]:
    """The module and the name of each import below tests/."""
    for node in ast.walk(ast.parse((ROOT / module).read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from ((alias.name, "") for alias in node.names if alias.name.startswith("tests."))
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{module}: write the whole name of the module that line {node.lineno} imports"
            if node.module is not None and node.module.partition(".")[0] == "tests":
                yield from ((node.module, alias.name) for alias in node.names)


def is_test_module(dotted: str) -> bool:
    return dotted.rpartition(".")[2].startswith("test_")


@pytest.mark.parametrize("folder", BUILT_FROM)
def test_worlds_import_only_fakes_and_builders_and_these_import_no_worlds(folder: str) -> None:
    assert [
        f"{module} imports {imported}"
        for module in MODULES
        if module.startswith(f"{folder}/")
        for imported, _ in imports(module)
        if not imported.startswith(tuple(f"{allowed}." for allowed in BUILT_FROM[folder]))
    ] == []


def test_no_module_imports_a_test_module() -> None:
    assert [
        f"{module} imports {imported}.{name}"
        for module in MODULES
        for imported, name in imports(module)
        if is_test_module(imported) or is_test_module(name)
    ] == []


def test_a_world_takes_only_the_classes_that_it_extends_from_another_world() -> None:
    assert [
        f"{module} imports {imported}.{name}"
        for module in MODULES
        if module.startswith("tests/worlds/")
        for imported, name in imports(module)
        if imported.startswith("tests.worlds") and not (name[:1].isupper() and not name.isupper())
    ] == []
