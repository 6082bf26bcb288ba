"""Opens a file that keys or items are written to: for its owner alone, and through no link.

Whoever can put a link or a file of their own into its folder must not choose where they go, or read them.
"""

import os
import stat
from errno import ELOOP, EPERM
from io import FileIO
from pathlib import Path


def open_owned(path: Path) -> FileIO:
    """The file, made if need be, to be read and written from its beginning; its mode is 0600.

    What is no file, such as a pipe, stays as it is. Raises OSError when it cannot be opened, is a link of either kind, or another
    user's; ``why_not`` says why.
    """
    file = FileIO(os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600), "r+")
    found = os.fstat(file.fileno())
    if stat.S_ISREG(found.st_mode):
        if found.st_uid != os.geteuid():
            file.close()
            raise PermissionError(EPERM, "it belongs to another user")
        if found.st_nlink > 1:
            file.close()
            raise PermissionError(EPERM, "it has another name too (a hard link)")
        os.fchmod(file.fileno(), 0o600)
    return file


def why_not(error: OSError) -> str:
    """Why a file could not be opened or written."""
    return "it is a link, which is not followed" if error.errno == ELOOP else error.strerror or str(error)
