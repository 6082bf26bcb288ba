"""The image: built from a source, the same each time, and written to an archive, the same each time.

The Dockerfile leaves no time of the build in the files, and BuildKit none in the image's description when it is told
SOURCE_DATE_EPOCH. So any builder makes the same image, and none needs an exporter that rewrites it.
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
    """How to build: from nothing when not ``cached``; ``target`` is a stage of the Dockerfile, the last one without."""

    base: str = BASE
    cached: bool = True
    target: str = ""

    def options(self) -> list[str]:
        """As `docker build` takes them. Provenance would say when it was built."""
        return [
            "--provenance=false",
            f"--build-arg=PYTHON={self.base}",
            *([] if self.cached else ["--no-cache"]),
            *([f"--target={self.target}"] if self.target else []),
        ]


def build(tree: Path, source: Source, building: Building, *tags: str) -> str:
    """Build ``tree`` and return the image's id, which is the digest of its description."""
    arguments = {"VERSION": source.version, "REVISION": source.revision, "SOURCE_DATE_EPOCH": source.epoch}
    told = [f"--build-arg={name}={value}" for name, value in arguments.items()]
    named = [f"--tag={tag}" for tag in tags]
    return printed(tree, "docker", "build", "--quiet", *building.options(), *told, *named, ".")


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
