"""What is no release is refused, with a line that says why and one that says what to do."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from deploy.release.base import DIGESTS, pinned, read_digests
from deploy.release.making import check_releasable
from deploy.release.source import Source, read_source
from service.errors import Misconfigured
from tests.documents.own_repository import COMMITTED_AT, ROOT, committed, copied, git

SECTION = "# Changelog\n\n## Unreleased\n\n## 0.2.0 - 2026-11-28\n\n- A thing.\n"


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A tagged commit with all that a release needs."""
    folder = copied(tmp_path / "tree", "pyproject.toml", "README.md", "LICENSE", ".gitignore")
    (folder / "CHANGELOG.md").write_text(SECTION, encoding="utf-8")
    git(committed(folder), "tag", "v0.2.0")
    return folder


def refused(tree: Path) -> tuple[str, str]:
    with pytest.raises(Misconfigured) as raised:
        check_releasable(tree, read_source(tree))
    return str(raised.value), raised.value.remedy


def commit(tree: Path) -> None:
    git(tree, "commit", "--quiet", "--all", "--message", "More")


def release_of(tree):
    """`make release` in a working tree."""
    return subprocess.run(
        [sys.executable, "-m", "deploy.release", "all"],
        cwd=tree,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=600,
    )


def test_a_tagged_commit_with_its_section_is_a_release(tree):
    source = read_source(tree)
    check_releasable(tree, source)
    assert source == Source("0.2.0", git(tree, "rev-parse", "HEAD"), COMMITTED_AT)


def test_a_changed_file_is_named(tree):
    (tree / "README.md").write_text("more\n", encoding="utf-8")
    assert refused(tree)[0] == "the work tree is not its commit: README.md changed"


def test_a_new_file_is_a_change_too(tree):
    (tree / "README.md").write_text("more\n", encoding="utf-8")
    (tree / "new.py").write_text("", encoding="utf-8")
    assert refused(tree) == (
        "the work tree is not its commit: README.md and 1 more changed",
        "commit it, or put it away: git stash --include-untracked",
    )


def test_a_commit_after_the_tag_is_no_release(tree):
    (tree / "README.md").write_text("more\n", encoding="utf-8")
    commit(tree)
    why, remedy = refused(tree)
    assert why == f"commit {git(tree, 'rev-parse', 'HEAD')[:9]} has no version tag"
    assert remedy.startswith("git tag --annotate v")


def test_a_tag_that_is_no_version_is_none(tree):
    git(tree, "tag", "--delete", "v0.2.0")
    git(tree, "tag", "good")
    assert refused(tree)[0].endswith("has no version tag")


@pytest.mark.parametrize("heading", ["## Unreleased", "## 0.2.0rc1", "## 0.2", "### 0.2.0", "see 0.2.0"])
def test_a_version_that_the_changelog_does_not_know_is_no_release(tree, heading):
    (tree / "CHANGELOG.md").write_text(SECTION.replace("## 0.2.0 - 2026-11-28", heading), encoding="utf-8")
    commit(tree)
    git(tree, "tag", "--force", "v0.2.0")
    assert refused(tree) == (
        "CHANGELOG.md has no section 0.2.0",
        "head what is unreleased `## 0.2.0 - YYYY-MM-DD`, commit, and move the tag there",
    )


def test_without_git_there_is_no_commit_and_no_time(tmp_path):
    folder = copied(tmp_path / "files", "pyproject.toml", "README.md", "LICENSE")
    assert read_source(folder) == Source("0.0.0", "unknown", 0)


def test_the_command_says_it_in_two_lines_and_leaves_dist_alone(tree):
    (tree / "dist").mkdir()
    (tree / "dist" / "kept").touch()
    (tree / "README.md").write_text("more\n", encoding="utf-8")
    done = release_of(tree)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.splitlines() == [
        "the work tree is not its commit: README.md changed",
        "commit it, or put it away: git stash --include-untracked",
    ]
    assert (tree / "dist" / "kept").exists()


DIGEST = f"sha256:{'0a' * 32}"


def listed(tmp_path: Path, lines: str) -> Path:
    (tmp_path / DIGESTS).parent.mkdir()
    (tmp_path / DIGESTS).write_text(f"# a comment\n{lines}", encoding="utf-8")
    return tmp_path


def test_a_base_is_taken_by_the_digest_of_the_list(tmp_path):
    tree = listed(tmp_path, f"python:3.12-slim   {DIGEST}\n")
    assert pinned(tree, "python:3.12-slim") == f"python:3.12-slim@{DIGEST}"
    assert pinned(tree, f"other:1@{DIGEST}") == f"other:1@{DIGEST}"


@pytest.mark.parametrize("image", ["python:3.12-slim", "python:3.12-slim@sha256:12", "other:1"])
def test_a_base_without_a_digest_is_no_base_of_a_release(tmp_path, image):
    with pytest.raises(Misconfigured, match=f"^the base {image} has no digest"):
        pinned(listed(tmp_path, "python:3.12-slim  -\n"), image)


def test_a_line_of_the_list_that_is_no_digest_is_refused(tmp_path):
    with pytest.raises(Misconfigured, match="is not an image and its digest"):
        read_digests(listed(tmp_path, "python:3.12-slim  sha256:12\n"))


def test_a_release_is_refused_on_a_base_without_a_digest(tree):
    git(committed(listed(tree, "python:3.12-slim  -\n")), "tag", "--force", "v0.2.0")
    done = release_of(tree)
    assert done.returncode == 2
    assert done.stderr.startswith("the base python:3.12-slim has no digest")


def test_the_list_has_every_base_of_the_dockerfile():
    arguments = dict(re.findall(r"^ARG (PYTHON|MAVEN)=(\S+)$", (ROOT / "Dockerfile").read_text(), re.MULTILINE))
    assert len(arguments) == 2
    assert list(read_digests(ROOT)) == list(arguments.values())
