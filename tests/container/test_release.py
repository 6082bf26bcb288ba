"""A release, made for real: the image is the same when it is built again, and its bill of materials is what the image has.

One test, because making it takes half a minute: what is made is looked at from every side.
"""

import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from filecmp import cmp
from pathlib import Path
from secrets import randbelow
from typing import Any
from zipfile import ZipFile

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

from deploy.release.difference import differences
from deploy.release.image import Building, build, save
from deploy.release.making import exported, make_release
from deploy.release.sbom import read_contents, write_sbom
from deploy.release.source import Source, read_source
from tests.container.engine import ROOT, docker, require_engine
from tests.documents.own_repository import committed, copied, git

pytestmark = [pytest.mark.container, pytest.mark.slow]

ASK_PYTHON = "from importlib.metadata import distributions as d\nfor p in d(): print(p.name, p.version)"
BELOW = "/usr/local/bin/python3"
"""The base's own Python, which has packages too."""

SHOWN = 40
"""So many differences at most, when an image is not the same twice."""


@dataclass(frozen=True)
class Release:
    """What was made from ``source``, and the names of its image, built from nothing, and of the one that was built before."""

    tree: Path
    source: Source
    folder: Path

    @property
    def image(self) -> str:
        return f"tablesplit:{self.source.version}"

    @property
    def before(self) -> str:
        return f"{self.image}-before"

    def file(self, kind: str) -> Path:
        return self.folder / f"tablesplit-{self.source.version}{kind}"

    def run(self, *command: str) -> str:
        return docker("run", "--rm", self.image, *command)


@contextmanager
def released(folder: Path) -> Iterator[Release]:
    """The release of a version that nobody else makes at the same time; its images are gone afterwards."""
    tree = tagged(folder / "tree", f"9.9.{randbelow(1_000_000)}")
    release = Release(tree, read_source(tree), folder / "dist")
    try:
        build(elsewhere(folder / "elsewhere"), release.source, Building(), release.before)
        make_release(tree, release.folder, Building(cached=False))
        yield release
    finally:
        docker("image", "rm", "--force", release.image, release.before)
        release.file(".image.tar").unlink(missing_ok=True)  # 300 MB


def tagged(folder: Path, version: str) -> Path:
    """This work tree as the commit of a release, and a file that git ignores."""
    changelog = copied(folder) / "CHANGELOG.md"
    changelog.write_text(changelog.read_text().replace("## Unreleased", f"## {version} - 2023-11-14"), encoding="utf-8")
    git(committed(folder), "tag", f"v{version}")
    (folder / "service" / "left.jsonl").write_text("an operator's own\n", encoding="utf-8")
    return folder


def elsewhere(folder: Path) -> Path:
    """The same files, as somebody with another umask has them."""
    subprocess.run(["chmod", "--recursive", "go-rwx", copied(folder)], check=True, timeout=600)
    return folder


def test_a_release_is_the_same_when_it_is_made_again_and_its_bill_of_materials_is_what_the_image_has(
    tmp_path: Path,
) -> None:
    require_engine()
    with released(tmp_path) as release:
        _built_from_nothing_the_image_is_the_same(release)
        _names_its_version_and_its_commit(release)
        _the_bill_has_every_package_of_the_image_and_nothing_else(release)
        _every_python_package_has_a_licence_and_the_hash_of_a_locked_file(release)
        _the_bill_is_valid_and_written_the_same_each_time(release)
        _what_git_ignores_is_not_in_it(release)
        _the_checksums_are_of_all_files(release)
        _the_archive_is_the_image_and_written_the_same_each_time(release)


def identity(image: str) -> str:
    return docker("image", "inspect", "--format", "{{.Id}}", image).strip()


def _built_from_nothing_the_image_is_the_same(release: Release) -> None:
    same = identity(release.image) == identity(release.before)
    assert same, "\n".join(_found_different(release)[:SHOWN])


def _found_different(release: Release) -> list[str]:
    before = release.folder / "before.tar"
    save(release.before, release.source.epoch, before)
    return differences(before, release.file(".image.tar"))


def _names_its_version_and_its_commit(release: Release) -> None:
    labels = json.loads(docker("image", "inspect", "--format", "{{json .Config.Labels}}", release.image))
    assert labels["org.opencontainers.image.version"] == release.source.version
    assert labels["org.opencontainers.image.revision"] == git(release.tree, "rev-parse", "HEAD")
    assert release.run("tablesplit", "--version") == f"tablesplit, version {release.source.version}\n"


def components(release: Release) -> list[Any]:
    return list(json.loads(release.file(".cdx.json").read_text())["components"])


def _the_bill_has_every_package_of_the_image_and_nothing_else(release: Release) -> None:
    asked = release.run("dpkg-query", "--show", "--showformat=deb ${Package} ${Version}\\n").splitlines()
    asked += {*_python_packages(release, "python"), *_python_packages(release, BELOW)}
    asked.append(f"generic {release.run('python', '--version').strip().lower()}")
    billed = [f"{kind(one)} {one['name']} {one['version']}" for one in components(release)]
    assert sorted(billed) == sorted(asked)
    assert len(billed) > 80


def kind(component: Any) -> str:
    """Of a package URL: deb, pypi or generic."""
    return str(component["purl"]).removeprefix("pkg:").partition("/")[0]


def _python_packages(release: Release, python: str) -> list[str]:
    lines = release.run(python, "-c", ASK_PYTHON).splitlines()
    return [f"pypi {line.lower().replace('_', '-')}" for line in lines]


def _every_python_package_has_a_licence_and_the_hash_of_a_locked_file(release: Release) -> None:
    locked = (ROOT / "deploy" / "image.lock").read_text()
    own = next(line.split()[0] for line in checksums(release) if line.endswith(".whl"))
    for one in components(release):
        if kind(one) == "pypi" and one["name"] != "pip":  # which the base brings, from nobody's lock
            assert one["licenses"], one["name"]
            (found,) = one["hashes"]
            assert found["content"] == own if one["name"] == "tablesplit" else f"sha256:{found['content']}" in locked


def _the_bill_is_valid_and_written_the_same_each_time(release: Release) -> None:
    text = release.file(".cdx.json").read_text()
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(text) is None
    with exported(release.tree) as commit:
        contents = read_contents(identity(release.image), commit, release.source, Building())
    assert write_sbom(contents, release.source, Building().base) == text


def _what_git_ignores_is_not_in_it(release: Release) -> None:
    """Nor in the image, which was installed from the same wheel: the hashes were compared."""
    with ZipFile(release.file("-py3-none-any.whl")) as wheel:
        names = wheel.namelist()
    assert "service/py.typed" in names
    assert "service/left.jsonl" not in names


def checksums(release: Release) -> list[str]:
    return (release.folder / "SHA256SUMS").read_text().splitlines()


def _the_checksums_are_of_all_files(release: Release) -> None:
    subprocess.run(["sha256sum", "--check", "--strict", "SHA256SUMS"], cwd=release.folder, check=True, timeout=600)
    made = [release.file(end) for end in (".tar.gz", "-py3-none-any.whl", ".image.tar", ".digests.txt", ".cdx.json")]
    assert {line.split()[1] for line in checksums(release)} == {one.name for one in made}
    assert {one.name for one in release.folder.iterdir()} == {*(one.name for one in made), "SHA256SUMS"}


def _the_archive_is_the_image_and_written_the_same_each_time(release: Release) -> None:
    said = dict(line.split() for line in release.file(".digests.txt").read_text().splitlines())
    again = release.folder / "again.tar"
    save(release.image, release.source.epoch, again)
    assert cmp(again, release.file(".image.tar"), shallow=False)
    again.unlink()  # 300 MB
    docker("image", "rm", "--force", release.image, release.before)
    assert docker("load", "--input", str(release.file(".image.tar"))) == f"Loaded image: {release.image}\n"
    assert said == {"image": identity(release.image), "manifest": _manifest(release)}


def _manifest(release: Release) -> str:
    """The digest of the file in the archive that is a manifest of this image."""
    listed = subprocess.run(["tar", "-xOf", release.file(".image.tar"), "index.json"], capture_output=True, check=True)
    digest = str(json.loads(listed.stdout)["manifests"][0]["digest"])
    blob = f"blobs/{digest.replace(':', '/')}"
    held = subprocess.run(["tar", "-xOf", release.file(".image.tar"), blob], capture_output=True, check=True)
    assert json.loads(held.stdout)["config"]["digest"] == identity(release.image)
    return digest
