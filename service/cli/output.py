"""What a command writes: its result on stdout, everything else on stderr. Nothing that an item brought acts on the terminal."""

import json
import os
import shutil
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from io import BufferedWriter
from pathlib import Path
from typing import Any, BinaryIO, TextIO

import click

from service.cli.style import coloured
from service.errors import Fatal
from service.escape import escaped, escaped_lines
from service.owned_file import open_owned, why_not


def print_text(text: str, *, paged: bool = False) -> None:
    """Write lines to stdout; ``paged``: page by page. Raises Fatal when stdout cannot be written (a full disk, a closed pipe)."""
    shown = coloured(escaped_lines(text, _encoding(sys.stdout)), sys.stdout)
    with writable_stdout():
        if paged:
            click.echo_via_pager(shown)
        else:
            print(shown, flush=True)


class Redrawn:
    """Text on a terminal that takes the place of what it showed before, without a flicker. ``errors``: on stderr."""

    def __init__(self, *, errors: bool = False) -> None:
        self._stream = sys.stderr if errors else sys.stdout
        self._rows = 0

    def show(self, text: str) -> None:
        """On stdout it raises Fatal as ``print_text`` does; where stderr cannot be written, nothing is shown."""
        size = shutil.get_terminal_size()
        lines = escaped_lines(text, _encoding(self._stream)).split("\n")
        shown = [line[: size.columns - 1] for line in lines][: size.lines - 1]  # a wrapped line would be two rows
        up = f"\x1b[{self._rows}A\r\x1b[J" if self._rows else ""
        self._rows = len(shown)
        with suppress(OSError) if self._stream is sys.stderr else writable_stdout():
            print(up + coloured("\n".join(shown), self._stream), file=self._stream, flush=True)


@contextmanager
def rewritten(path: Path, remedy: str = "name another file") -> Iterator[BinaryIO]:
    """A file for its owner alone, to be written in place of what it has. Raises Fatal with ``remedy`` when it cannot be written."""
    try:
        with open_owned(path) as file, BufferedWriter(file) as written:
            if os.fstat(file.fileno()).st_size:  # a device has no size, and cannot be cut
                file.truncate(0)
            yield written
    except OSError as error:
        raise Fatal(f"cannot write {path}: {why_not(error)}", remedy=remedy) from error


def write_lines(path: Path, documents: Iterable[Mapping[str, Any]]) -> None:
    """Write a JSON document on each line of a file, as ``rewritten``."""
    with rewritten(path) as file:
        for document in documents:
            file.write(json.dumps(document, ensure_ascii=False).encode() + b"\n")


def ensure_streams() -> None:
    """Where a process was started without stdout or stderr, what is written there goes nowhere."""
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, Path(os.devnull).open("w", encoding="utf-8"))  # noqa: SIM115 (until the process ends)


@contextmanager
def writable_stdout() -> Iterator[None]:
    """Around what writes to stdout. Raises Fatal when that cannot be written."""
    try:
        try:
            yield
        finally:
            sys.stdout.flush()
    except OSError as error:
        _give_up(sys.stdout)
        raise Fatal(
            f"cannot write to stdout: {error.strerror or error}",
            remedy="what the command did is done; for its answer run it again, with stdout to where there is room",
        ) from error


def say(line: str) -> None:
    """Write one line to stderr. Where that cannot be written, there is nowhere left to say so."""
    with suppress(OSError):
        print(coloured(escaped(line, _encoding(sys.stderr)), sys.stderr), file=sys.stderr, flush=True)


def _encoding(stream: TextIO) -> str:
    return stream.encoding or "utf-8"


def _give_up(stream: TextIO) -> None:
    """Python writes what is left when it ends, and would fail again: let it go nowhere."""
    with suppress(OSError, ValueError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, stream.fileno())
        os.close(nowhere)
