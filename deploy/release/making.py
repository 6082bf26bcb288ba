"""Makes the files of a release, from the tagged commit itself: no file that git ignores gets in."""

import hashlib
import os
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from deploy.release.checks import check_releasable
from deploy.release.image import Building, build, manifest_digest, save
from deploy.release.sbom import read_contents, write_sbom
from deploy.release.source import Source, printed, read_source


def make_release(tree: Path, folder: Path, building: Building) -> None:
    """Write everything that a release has into ``folder``, which is emptied first. Publishes nothing."""
    source = read_source(tree)
    check_releasable(tree, source)
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    with exported(tree) as commit:
        _make_packages(commit, source, folder)
        _make_image(commit, source, folder, building)
    _write_checksums(folder)


@contextmanager
def exported(tree: Path) -> Iterator[Path]:
    """The files of the commit, in a folder of their own."""
    with TemporaryDirectory() as folder:
        archive = Path(folder) / "commit.tar"
        printed(tree, "git", "archive", "--output", str(archive), "HEAD")
        with tarfile.open(archive) as opened:
            opened.extractall(Path(folder) / "commit", filter="data")
        yield Path(folder) / "commit"


def _make_packages(commit: Path, source: Source, folder: Path) -> None:
    command = [sys.executable, "-m", "hatchling", "build", "--directory", str(folder)]
    told = {"SOURCE_DATE_EPOCH": str(source.epoch), "SETUPTOOLS_SCM_PRETEND_VERSION": source.version}
    subprocess.run(command, cwd=commit, env={**os.environ, **told}, check=True, capture_output=True)


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
    """As `sha256sum --check` reads them."""
    lines = [f"{_sha256(file)}  {file.name}\n" for file in sorted(folder.iterdir())]
    (folder / "SHA256SUMS").write_text("".join(lines), encoding="utf-8")


def _sha256(file: Path) -> str:
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()
