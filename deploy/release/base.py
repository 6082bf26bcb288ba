"""The base images of a release, each by its digest: `deploy/images.digests` has them."""

import re
from pathlib import Path

from service.errors import Misconfigured

DIGESTS = Path("deploy/images.digests")
DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
UNKNOWN = "-"


def read_digests(tree: Path) -> dict[str, str]:
    """The digest of each image by its name with the tag; UNKNOWN where none is filled in. Raises Misconfigured for another line."""
    found = {}
    for line in (tree / DIGESTS).read_text(encoding="utf-8").splitlines():
        if line.startswith("#"):
            continue
        name, _, digest = line.partition(" ")
        if digest.strip() != UNKNOWN and not DIGEST.fullmatch(digest.strip()):
            raise Misconfigured(f"{DIGESTS}: {line!r} is not an image and its digest", remedy="NAME:TAG sha256:...")
        found[name] = digest.strip()
    return found


def pinned(tree: Path, image: str) -> str:
    """``image`` by its digest: its own, or that of the list. Raises Misconfigured when there is none."""
    if DIGEST.fullmatch(image.rpartition("@")[2]):
        return image
    digest = read_digests(tree).get(image, UNKNOWN)
    if digest == UNKNOWN:
        raise Misconfigured(
            f"the base {image} has no digest, and the image behind a tag changes",
            remedy=f"commit it in {DIGESTS}, which says how to ask for it, or give it: BASE={image}@sha256:...",
        )
    return f"{image}@{digest}"
