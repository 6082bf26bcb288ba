"""The command line: parse the options, call one function of the service, print its result.

One file for a command, or for a group of related ones.

Entry point: ``main``.
"""

import sys

__all__ = ["main"]


def main() -> None:
    """Run the command line and exit. It is imported only now: the version is told without it, in a third of the time."""
    if sys.argv[1:] in (["-V"], ["--version"]) and _version_is_told():
        sys.exit(0)
    from service.cli.main import main as run

    run()


def _version_is_told() -> bool:
    """False: stdout cannot be written, and the command line says why."""
    from importlib.metadata import version

    try:
        print(f"tablesplit, version {version('tablesplit')}", flush=True)
    except OSError:
        return False
    return True
