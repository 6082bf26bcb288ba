"""What must hold before a release is made. Each refusal is one line, and one that says what to do."""

import re
from pathlib import Path

from deploy.release.source import Source, printed
from service.errors import Misconfigured


def check_releasable(tree: Path, source: Source) -> None:
    """Raises Misconfigured unless the tree is exactly a tagged commit, and its changelog says what is in that version."""
    _check_clean(tree)
    _check_tagged(tree, source)
    _check_in_changelog(tree, source.version)


def _check_clean(tree: Path) -> None:
    changed = [line.split(maxsplit=1)[1] for line in printed(tree, "git", "status", "--porcelain").splitlines()]
    if changed:
        more = f" and {len(changed) - 1} more" if changed[1:] else ""
        raise Misconfigured(
            f"the work tree is not its commit: {changed[0]}{more} changed",
            remedy="commit it, or put it away: git stash --include-untracked",
        )


def _check_tagged(tree: Path, source: Source) -> None:
    tags = printed(tree, "git", "tag", "--points-at", "HEAD").split()
    if f"v{source.version}" not in tags:
        raise Misconfigured(
            f"commit {source.revision[:9]} has no version tag",
            remedy="git tag --annotate v1.2.3, with the version that CHANGELOG.md has",
        )


def _check_in_changelog(tree: Path, version: str) -> None:
    text = (tree / "CHANGELOG.md").read_text(encoding="utf-8")
    if not re.search(rf"^## {re.escape(version)}( |$)", text, re.MULTILINE):
        raise Misconfigured(
            f"CHANGELOG.md has no section {version}",
            remedy=f"head what is unreleased `## {version} - YYYY-MM-DD`, commit, and move the tag there",
        )
