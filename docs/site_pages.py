"""Hooks of mkdocs (mkdocs.yml): pages whose source is outside docs/, and links that resolve on the site as they do on GitHub.

A link to a file that is not a page, such as a mapping, leads to a copy of the file on the site. A link to a folder without
a README becomes plain text.
"""

import posixpath
import re
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT = Path(__file__).parents[1]
PAGES = {
    "CHANGELOG.md": "changelog.md",
    "CONTRIBUTING.md": "contributing.md",
    "SECURITY.md": "security.md",
    "deploy/RUNBOOK.md": "runbook.md",
    "deploy/grafana/README.md": "grafana.md",
    "deploy/kcl/README.md": "kcl.md",
    "deploy/terraform/README.md": "terraform.md",
    "deploy/helm/README.md": "helm.md",
    "examples/README.md": "examples.md",
}
"""Each page's source in the repository, and its place on the site."""
HOME = {"README.md": "index.md"}
"""Links to the repository's README lead to the site's first page."""
COPIES = "files"
"""The folder on the site for files that pages link to."""

FENCE = re.compile(r"(^```.*?^```[^\n]*$)", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"(?P<text>\[(?:[^\[\]]|\[[^\]]*\])*\])\((?P<target>[^)\s]+)\)")
OUTSIDE = re.compile(r"^([a-z]+:|#)")


def on_files(files: Files, *, config: MkDocsConfig) -> Files:
    """Add the pages from outside docs/."""
    for source, place in PAGES.items():
        files.append(File.generated(config, place, abs_src_path=str(ROOT / source)))
    return files


def on_page_markdown(markdown: str, *, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Make every link of the page lead to the page or file that it leads to in the repository."""

    def site_link(link: re.Match[str]) -> str:
        text, target = link["text"], link["target"]
        if OUTSIDE.match(target):
            return link[0]
        path, _, anchor = target.partition("#")
        place = _place(posixpath.normpath(posixpath.join(posixpath.dirname(_source(page)), path)), config, files)
        if place is None:
            return text[1:-1]
        relative = posixpath.relpath(place, posixpath.dirname(page.file.src_uri) or ".")
        return f"{text}({relative}{'#' if anchor else ''}{anchor})"

    parts = FENCE.split(markdown)
    return "".join(part if part.startswith("```") else LINK.sub(site_link, part) for part in parts)


def _source(page: Page) -> str:
    """The page's path in the repository."""
    place = page.file.src_uri
    return next((source for source, at in PAGES.items() if at == place), f"docs/{place}")


def _place(source: str, config: MkDocsConfig, files: Files) -> str | None:
    """Where ``source``, a path in the repository, is on the site; None: a folder without a page."""
    if (ROOT / source).is_dir():
        source = posixpath.join(source, "README.md")
        if source not in PAGES and not source.startswith("docs/"):
            return None
    if source in PAGES | HOME:
        return (PAGES | HOME)[source]
    inside = posixpath.relpath(source, "docs")
    if not inside.startswith("..") and files.get_file_from_path(inside) is not None:
        return inside
    if not (ROOT / source).is_file():
        return source  # mkdocs reports it as a broken link
    copy = f"{COPIES}/{source}" + (".txt" if source.endswith(".md") else "")
    if files.get_file_from_path(copy) is None:
        files.append(File.generated(config, copy, abs_src_path=str(ROOT / source)))
    return copy
