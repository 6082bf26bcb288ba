"""The documentation's site builds without a warning, can be searched, and makes a browser fetch nothing from elsewhere."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FETCHED = re.compile(r"<(?:script|img|iframe|link)\b[^>]*?\b(?:src|href)=[\"']?((?:https?:)?//[^\"' >]+)")
STYLE_FETCHED = re.compile(r"(?:url\(|@import)\s*[\"']?(?:https?:)?//[^\"')]+")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site, built as `make docs` does."""
    folder = tmp_path_factory.mktemp("site")
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(folder)],
        cwd=ROOT,
        env={**os.environ, "NO_MKDOCS_2_WARNING": "1"},
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


def test_nothing_is_fetched_from_elsewhere(site: Path) -> None:
    pages = {path: path.read_text(encoding="utf-8") for path in site.rglob("*.html")}
    assert len(pages) > 25
    assert [(path.name, url) for path, text in pages.items() for url in FETCHED.findall(text)] == []
    # the theme's script would fetch Mermaid from elsewhere, for an element of this class
    assert [path.name for path, text in pages.items() if re.search(r"class=[\"']?mermaid", text)] == []
    assert [path.name for path in site.rglob("*.css") if STYLE_FETCHED.search(path.read_text(encoding="utf-8"))] == []


def test_pages_from_outside_the_folder_are_found_by_the_search(site: Path) -> None:
    index = json.loads((site / "search" / "search_index.json").read_text(encoding="utf-8"))
    found = {entry["location"].partition("#")[0] for entry in index["docs"]}
    assert {
        "runbook.html",
        "examples.html",
        "terraform.html",
        "DESIGN.html",
        "settings.html",
        "contributing.html",
    } <= found


def test_a_linked_file_that_is_no_page_is_on_the_site(site: Path) -> None:
    assert (site / "files" / "deploy" / "prometheus" / "alerts.yml").is_file()
