"""The command line: parse the options, call one function of the service, print its result.

One file for a command, or for a group of related ones.

Entry point: ``main``.
"""

import os
import sys

__all__ = ["main"]


def main() -> None:
    """Run the command line and exit. It is imported only now: the version is told without it, in a fraction of the time."""
    if sys.argv[1:] in (["-V"], ["--version"]) and _version_is_told():
        sys.exit(0)
    from service.cli.main import main as run

    run()


def _version_is_told() -> bool:
    """False: it is not known, or stdout cannot be written, and the command line says why."""
    version = next(filter(None, map(_version_in, sys.path)), None)
    if version is None:
        return False
    try:
        print(f"tablesplit, version {version}", flush=True)
    except OSError:
        return False
    return True


def _version_in(folder: str) -> str | None:
    """The version that is installed in ``folder``, by the name of what the installer has written there; None: none is.

    ``importlib.metadata`` reads the same name (https://packaging.python.org/en/latest/specifications/recording-installed-packages/),
    but takes longer to import than all else together.
    """
    try:
        names = [entry.name for entry in os.scandir(folder or ".")]
    except OSError:  # a zip file, or nothing
        return None
    found = (name for name in names if name.startswith("tablesplit-") and name.endswith(".dist-info"))
    return next((name.removeprefix("tablesplit-").removesuffix(".dist-info") for name in found), None)
