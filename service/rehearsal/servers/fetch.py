"""What is fetched once into a cache folder, by a package registry's own client, because it is never part of tablesplit."""

import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path

from service.errors import Misconfigured

CACHE = Path.home() / ".cache" / "tablesplit"
FETCH_SECONDS = 300


def kept(folder: Path, fetch: Callable[[Path], Path]) -> Path:
    """``folder``, filled by ``fetch`` when it is not there yet.

    ``fetch`` gets a scratch folder and returns the folder in it that is complete: who starts meanwhile finds all or nothing.
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


def run_client(what: str, command: list[str], folder: Path) -> None:
    """Run a registry's client in ``folder`` to fetch ``what``. Raises Misconfigured with the last line that it said."""
    try:
        subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True, timeout=FETCH_SECONDS)
    except (subprocess.CalledProcessError, subprocess.TimeoutExpired) as error:
        said = (getattr(error, "stderr", None) or getattr(error, "stdout", None) or str(error)).strip().splitlines()
        raise Misconfigured(
            f"{what}: {command[0]} could not fetch it: {said[-1]}", remedy="check the network and try again"
        ) from error
