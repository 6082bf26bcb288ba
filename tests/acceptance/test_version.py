"""The version is that of the git tag; where there is no tag, the package is built all the same."""

import re
import subprocess
import tarfile
from pathlib import Path

import pytest

from tests.documents.own_repository import ROOT, committed, copied, git, hatchling

FILES = ("pyproject.toml", "README.md", "LICENSE", ".gitattributes", ".git_archival.txt", "service/__init__.py")


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    return copied(tmp_path / "tree", *FILES)


@pytest.fixture
def repository(tree: Path) -> Path:
    return committed(tree)


def another_commit(repository: Path) -> None:
    (repository / "README.md").write_text("more\n", encoding="utf-8")
    git(repository, "commit", "--quiet", "--all", "--message", "More")


def fallback() -> str:
    (fallback_version,) = re.findall(
        r'^fallback-version = "(.+?)"', (ROOT / "pyproject.toml").read_text(), re.MULTILINE
    )
    return str(fallback_version)


def test_at_a_tag_it_is_the_tags(repository):
    git(repository, "tag", "v0.2.0")
    assert hatchling(repository, "version") == "0.2.0"


def test_after_a_tag_it_is_a_development_version_of_the_next(repository):
    git(repository, "tag", "v0.2.0")
    another_commit(repository)
    assert hatchling(repository, "version") == f"0.2.1.dev1+g{git(repository, 'rev-parse', 'HEAD')[:9]}"


def test_with_changes_a_tag_is_not_its_version(repository):
    git(repository, "tag", "v0.2.0")
    (repository / "README.md").write_text("more\n", encoding="utf-8")
    assert hatchling(repository, "version").startswith("0.2.1.dev0+g")


def test_a_clone_without_tags_is_older_than_every_release(repository):
    assert hatchling(repository, "version").startswith("0.0.1.dev1+g")


def test_a_shallow_clone_without_tags_has_one(repository, tmp_path):
    another_commit(repository)
    git(tmp_path, "clone", "--quiet", "--depth", "1", "--no-tags", repository.as_uri(), "shallow")
    assert hatchling(tmp_path / "shallow", "version").startswith("0.0.1.dev1+g")


def test_in_a_folder_of_another_owner_it_is_still_the_tags(repository, monkeypatch):
    git(repository, "tag", "v0.2.0")
    monkeypatch.setenv("GIT_TEST_ASSUME_DIFFERENT_OWNER", "1")
    with pytest.raises(subprocess.CalledProcessError):
        git(repository, "status")  # which git itself refuses
    assert hatchling(repository, "version") == "0.2.0"


def test_an_archive_made_by_git_knows_its_tag(repository, tmp_path):
    git(repository, "tag", "v0.2.0")
    git(repository, "archive", "--output", str(tmp_path / "archive.tar"), "HEAD")
    assert hatchling(unpacked(tmp_path / "archive.tar", tmp_path / "archive"), "version") == "0.2.0"


def test_an_sdist_knows_its_version_without_git(repository, tmp_path):
    git(repository, "tag", "v0.2.0")
    hatchling(repository, "build", "--target", "sdist", "--directory", str(tmp_path))
    folder = unpacked(tmp_path / "tablesplit-0.2.0.tar.gz", tmp_path / "sdist")
    assert hatchling(folder / "tablesplit-0.2.0", "version") == "0.2.0"


def test_files_alone_have_the_fallback(tree):
    assert hatchling(tree, "version") == fallback()


def test_without_the_program_git_it_is_the_fallback(repository, monkeypatch):
    git(repository, "tag", "v0.2.0")
    monkeypatch.setenv("PATH", str(repository))
    assert hatchling(repository, "version") == fallback()


def test_an_image_built_without_a_version_has_the_fallback():
    assert f"\nARG VERSION={fallback()}\n" in (ROOT / "Dockerfile").read_text()


def unpacked(archive: Path, folder: Path) -> Path:
    with tarfile.open(archive) as opened:
        opened.extractall(folder, filter="data")
    return folder
