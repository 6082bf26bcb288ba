"""The image: built from a source, the same each time, and written to an archive, the same each time.

The Dockerfile leaves no time of the build in the files, and BuildKit none in the image's description when it is told
SOURCE_DATE_EPOCH. So Docker Engine's own builder makes the same image, although it has no exporter that rewrites times.
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
    """How to build: on which base, and from nothing when not ``cached``."""

    base: str = BASE
    cached: bool = True

    def options(self, source: Source) -> list[str]:
        """As `docker build` takes them. Provenance would say when it was built."""
        told = {
            "PYTHON": self.base,
            "VERSION": source.version,
            "REVISION": source.revision,
            "SOURCE_DATE_EPOCH": source.epoch,
        }
        arguments = [f"--build-arg={name}={value}" for name, value in told.items()]
        return ["--quiet", "--provenance=false", *arguments, *([] if self.cached else ["--no-cache"])]


def build(tree: Path, source: Source, building: Building, *tags: str) -> str:
    """Build ``tree`` and return the image's id, which is the digest of its description."""
    named = [f"--tag={tag}" for tag in tags]
    return printed(tree, "docker", "build", *building.options(source), *named, ".")


def write_stage(stage: str, tree: Path, source: Source, building: Building, folder: Path) -> None:
    """Write the files of a stage of the Dockerfile into ``folder``; what was built just now is not built again."""
    where = [f"--target={stage}", f"--output=type=local,dest={folder}"]
    printed(tree, "docker", "build", *building.options(source), *where, ".")


def save(image: str, epoch: int, archive: Path) -> None:
    """Write ``image`` as an archive for `docker load`. The engine says in it when it wrote it: here that is ``epoch``."""
    with TemporaryDirectory(dir=archive.parent) as folder:
        written = Path(folder) / "image.tar"
        printed(archive.parent, "docker", "save", "--output", str(written), image)
        with tarfile.open(written) as found, tarfile.open(archive, "w", format=tarfile.GNU_FORMAT) as kept:
            for member in sorted(found, key=lambda one: one.name):
                member.mtime = epoch
                kept.addfile(member, found.extractfile(member) if member.isfile() else None)


def manifest_digest(archive: Path) -> str:
    """The digest of the image's manifest, as the archive has it: with layers that are not compressed."""
    with tarfile.open(archive) as opened:
        index = opened.extractfile("index.json")
        assert index is not None
        return str(json.load(index)["manifests"][0]["digest"])
