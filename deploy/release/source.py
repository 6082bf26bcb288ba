"""What a build is told of its source, for git is not in its context: the version, the commit, and the commit's time."""

import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from service.errors import TablesplitError


class CommandFailed(TablesplitError):
    """A program that a release needs is not there, or did not do its work."""

    exit_status = 1


@dataclass(frozen=True, slots=True)
class Source:
    """What is built. The same source gives the same bytes."""

    version: str
    revision: str
    epoch: int
    """Seconds since 1970: the only time that what is built knows."""


def printed(folder: Path, *command: str) -> str:
    """What a command prints in ``folder``. Raises CommandFailed."""
    try:
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True)
    except FileNotFoundError as missing:
        raise CommandFailed(f"there is no program {command[0]}", remedy="install it") from missing
    except subprocess.CalledProcessError as failed:
        raise CommandFailed(f"`{' '.join(command)}` failed: {failed.stderr.strip()}") from failed
    return done.stdout.strip()


def read_source(tree: Path) -> Source:
    """Of the commit that is checked out in ``tree``; where git does not say it, it is `unknown`, and the time is 0."""
    version = printed(tree, sys.executable, "-m", "hatchling", "version")
    try:
        revision, epoch = printed(tree, "git", "log", "-1", "--format=%H %ct").split()
    except CommandFailed:
        return Source(version, "unknown", 0)
    return Source(version, revision, int(epoch))
