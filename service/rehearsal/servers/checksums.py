"""Fetched files are held to checksums that are in this package: a registry that was changed cannot bring a program of its own."""

import hashlib
from pathlib import Path

from service.errors import Misconfigured


def require_listed(subject: str, folder: Path, listing: str) -> None:
    """Raises Misconfigured unless ``folder`` has exactly the files of ``listing``, each by its checksum.

    ``listing``: lines as `sha256sum` writes them.
    """
    wanted = {name: digest for digest, name in (line.split(maxsplit=1) for line in listing.splitlines())}
    found = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.iterdir()}
    differing = sorted(name for name in wanted.keys() | found.keys() if wanted.get(name) != found.get(name))
    if differing:
        more = f" and {len(differing) - 1} more" if differing[1:] else ""
        raise Misconfigured(
            f"{subject}: {differing[0]}{more} is not as the list of checksums has it",
            remedy="check the registry that delivered it",
        )
