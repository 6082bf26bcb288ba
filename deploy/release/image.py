"""Builds the image from a source, and writes it to an archive. The same source gives the same bytes each time.

The Dockerfile leaves no time of the build in the files, and BuildKit leaves none in the image's description when SOURCE_DATE_EPOCH
is set. So Docker Engine's own builder makes the same image, although it has no exporter that rewrites times.
"""

import json
import tarfile
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from deploy.release.source import Source, printed

BASE = "python:3.12-slim"


@dataclass(frozen=True, slots=True)
class Building:
    """How to build the image."""

    base: str = BASE
    """The base image."""
    cached: bool = True
    """False: build every layer anew."""

    def options(self, source: Source) -> list[str]:
        """The options of `docker build`. Provenance is off, since it would contain the time of the build."""
        values = {
            "PYTHON": self.base,
            "VERSION": source.version,
            "REVISION": source.revision,
            "SOURCE_DATE_EPOCH": source.epoch,
        }
        arguments = [f"--build-arg={name}={value}" for name, value in values.items()]
        return ["--quiet", "--provenance=false", *arguments, *([] if self.cached else ["--no-cache"])]


def build(tree: Path, source: Source, building: Building, *tags: str) -> str:
    """Build ``tree`` and return the image's id, which is the digest of its description."""
    tag_options = [f"--tag={tag}" for tag in tags]
    return printed(tree, "docker", "build", *building.options(source), *tag_options, ".")


def write_stage(stage: str, tree: Path, source: Source, building: Building, folder: Path) -> None:
    """Write the files of a stage of the Dockerfile into ``folder``. Layers that are in the cache are not built again."""
    output_options = [f"--target={stage}", f"--output=type=local,dest={folder}"]
    printed(tree, "docker", "build", *building.options(source), *output_options, ".")


def save(image: str, epoch: int, archive: Path) -> None:
    """Write ``image`` as an archive for `docker load`. The engine gives the archive's members the time of writing; here they get
    ``epoch``."""
    with TemporaryDirectory(dir=archive.parent) as folder:
        written = Path(folder) / "image.tar"
        printed(archive.parent, "docker", "save", "--output", str(written), image)
        with tarfile.open(written) as source, tarfile.open(archive, "w", format=tarfile.GNU_FORMAT) as target:
            for member in sorted(source, key=lambda member: member.name):
                member.mtime = epoch
                target.addfile(member, source.extractfile(member) if member.isfile() else None)


def manifest_digest(archive: Path) -> str:
    """The digest of the image's manifest as it is in the archive, with layers that are not compressed."""
    with tarfile.open(archive) as opened:
        index = opened.extractfile("index.json")
        assert index is not None
        return str(json.load(index)["manifests"][0]["digest"])
