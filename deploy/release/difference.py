"""Lists the files in which two image archives differ, to find out why two builds were not the same.

`python -m deploy.release.difference ONE OTHER` prints them, and ends with 1 when there is a difference.
"""

import hashlib
import json
import sys
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

Entry = tuple[Any, ...]


def differences(one: Path, other: Path) -> list[str]:
    """One line for each file, and each field of the image's description, that is not the same in both."""
    left, right = entries(one), entries(other)
    names = sorted(left.keys() | right.keys())
    return [f"{name}: {left.get(name)} / {right.get(name)}" for name in names if left.get(name) != right.get(name)]


def entries(archive: Path) -> dict[str, Entry]:
    """Everything in the archive's image, by name."""
    with tarfile.open(archive) as opened:
        (manifest,) = json.load(_member(opened, "manifest.json"))
        description = json.load(_member(opened, manifest["Config"]))
        result = {f"description: {name}": (json.dumps(value),) for name, value in description.items()}
        for number, layer in enumerate(manifest["Layers"]):
            result |= {f"layer {number}: {name}": entry for name, entry in _files(_member(opened, layer))}
    return result


def _files(layer: IO[bytes]) -> Iterator[tuple[str, Entry]]:
    with tarfile.open(fileobj=layer) as opened:
        for member in opened:
            content = opened.extractfile(member) if member.isfile() else None
            digest = hashlib.sha256(content.read()).hexdigest()[:12] if content else member.linkname
            yield member.name, (oct(member.mode), member.uid, member.gid, member.mtime, member.size, digest)


def _member(opened: tarfile.TarFile, name: str) -> IO[bytes]:
    member = opened.extractfile(name)
    assert member is not None, f"{name} is no file"
    return member


if __name__ == "__main__":
    lines = differences(Path(sys.argv[1]), Path(sys.argv[2]))
    print(*lines, sep="\n")
    sys.exit(bool(lines))
