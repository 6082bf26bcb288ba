"""Makes the files of a release from a tagged commit, after checking that there is one; files that git ignores are not in it."""

import hashlib
import os
import re
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from deploy.release.image import Building, build, manifest_digest, save
from deploy.release.sbom import read_contents, write_sbom
from deploy.release.source import Source, printed, read_source
from service.errors import Misconfigured


def make_release(tree: Path, folder: Path, building: Building) -> None:
    """Write all files of a release into ``folder``, which is emptied first. Publishes nothing. Raises Misconfigured as
    ``check_releasable`` does, CommandFailed when a program fails."""
    source = read_source(tree)
    check_releasable(tree, source)
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    with exported(tree) as commit:
        _make_packages(commit, source, folder)
        _make_image(commit, source, folder, building)
    _write_checksums(folder)


def check_releasable(tree: Path, source: Source) -> None:
    """Raises Misconfigured unless the work tree is exactly a tagged commit, and its changelog has a section on that version.

    Each refusal is one line, and one more that says what to do.
    """
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


@contextmanager
def exported(tree: Path) -> Iterator[Path]:
    """A temporary folder with the files of the commit."""
    with TemporaryDirectory() as folder:
        archive = Path(folder) / "commit.tar"
        printed(tree, "git", "archive", "--output", str(archive), "HEAD")
        with tarfile.open(archive) as opened:
            opened.extractall(Path(folder) / "commit", filter="data")
        # BuildKit does not read a file again that has the size and time of an earlier one, and here all have the commit's time.
        for path in (Path(folder) / "commit").rglob("*"):
            path.touch()
        yield Path(folder) / "commit"


def _make_packages(commit: Path, source: Source, folder: Path) -> None:
    command = [sys.executable, "-m", "hatchling", "build", "--directory", str(folder)]
    variables = {"SOURCE_DATE_EPOCH": str(source.epoch), "SETUPTOOLS_SCM_PRETEND_VERSION": source.version}
    subprocess.run(command, cwd=commit, env={**os.environ, **variables}, check=True, capture_output=True)


def _make_image(commit: Path, source: Source, folder: Path, building: Building) -> None:
    name, tag = f"tablesplit-{source.version}", f"tablesplit:{source.version}"
    image = build(commit, source, building, tag)
    contents = read_contents(image, commit, source, building)
    (folder / f"{name}.cdx.json").write_text(write_sbom(contents, source, building.base), encoding="utf-8")
    archive = folder / f"{name}.image.tar"
    save(tag, source.epoch, archive)
    digests = f"image {image}\nmanifest {manifest_digest(archive)}\n"
    (folder / f"{name}.digests.txt").write_text(digests, encoding="utf-8")


def _write_checksums(folder: Path) -> None:
    """In the form that `sha256sum --check` reads."""
    lines = [f"{_sha256(file)}  {file.name}\n" for file in sorted(folder.iterdir())]
    (folder / "SHA256SUMS").write_text("".join(lines), encoding="utf-8")


def _sha256(file: Path) -> str:
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()
