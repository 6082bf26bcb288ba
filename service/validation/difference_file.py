"""``--output FILE``: every difference as a JSON line, exactly once, even when a run is resumed."""

import json
import os
import stat
from collections.abc import Iterable
from io import FileIO
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from service.errors import Fatal
from service.owned_file import open_owned, why_not


class DifferenceFile:
    """An append-only file. Its length is saved with the progress; a resumed run cuts off what was written after that."""

    def __init__(self, path: Path, file: FileIO, size: int) -> None:
        self._path = path
        self._file = file
        self._size = size

    @classmethod
    def open(cls, path: Path, size: int) -> Self:
        """Open ``path``, for its owner alone, and keep its first ``size`` bytes (0: none).

        Raises Fatal when it cannot be written, is a link of either kind or another user's, or is shorter and so not the run's file.
        """
        try:
            file = open_owned(path)
            length = os.fstat(file.fileno()).st_size
            if length < size:
                file.close()
                raise Fatal(
                    f"--output {path} has {length} bytes, but the run to go on with has written {size}",
                    remedy="give the run its file back, or name another file to start anew",
                )
            if length > size:
                file.truncate(size)
            file.seek(size)
        except OSError as error:
            raise _unwritable(path, error, "nothing was compared") from error
        return cls(path, file, size)

    @property
    def size(self) -> int:
        """Bytes written so far."""
        return self._size

    def append(self, documents: Iterable[dict[str, Any]], *, done: str) -> None:
        """Write one line for each document, durably. Raises Fatal when they cannot be written; ``done``: what the run has done
        so far, for the message."""
        lines = b"".join(json.dumps(document, ensure_ascii=False).encode() + b"\n" for document in documents)
        if not lines:
            return
        try:
            written = 0
            while written < len(lines):
                written += self._file.write(lines[written:])
            if stat.S_ISREG(os.fstat(self._file.fileno()).st_mode):
                os.fsync(self._file.fileno())
        except OSError as error:
            raise _unwritable(self._path, error, done) from error
        self._size += len(lines)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()


def _unwritable(path: Path, error: OSError, done: str) -> Fatal:
    return Fatal(
        f"cannot write differences to {path}: {why_not(error)}; {done}",
        remedy="make room and run the same command again, which goes on, or name another file to start anew",
    )
