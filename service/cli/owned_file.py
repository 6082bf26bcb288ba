"""Writes a file for its owner alone, and through no link: whoever can write its folder must not choose where it goes."""

import os
import stat
from errno import ELOOP
from pathlib import Path

from service.errors import Fatal


def write_owned(path: Path, text: str) -> None:
    """Write ``text`` to ``path``, with mode 0600, in place of what it has. Raises Fatal when it is a link or unwritable."""
    try:
        _write(path, text.encode())
    except OSError as error:
        why = "it is a link, which is not followed" if error.errno == ELOOP else error.strerror or error
        raise Fatal(f"cannot write {path}: {why}", remedy="name another file with --output") from error


def _write(path: Path, content: bytes) -> None:
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600), "wb") as file:
        found = os.fstat(file.fileno())
        if stat.S_ISREG(found.st_mode):
            if found.st_uid != os.geteuid() or found.st_nlink > 1:
                raise PermissionError(None, "it is another user's, or has another name too")
            os.fchmod(file.fileno(), 0o600)
            file.truncate(0)
        file.write(content)
