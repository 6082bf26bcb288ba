"""The source of a build: its version, its commit, and the commit's time. The build has no git, so it is given these."""

import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from service.errors import TablesplitError


class CommandFailed(TablesplitError):
    """A program that a release needs is missing, or has failed."""

    exit_status = 1


@dataclass(frozen=True, slots=True)
class Source:
    """What is built. The same source gives the same bytes."""

    version: str
    revision: str
    epoch: int
    """The commit's time in seconds since 1970. No other time gets into what is built."""


def printed(folder: Path, *command: str) -> str:
    """What a command prints, run in ``folder``. Raises CommandFailed."""
    try:
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True)
    except FileNotFoundError as missing:
        raise CommandFailed(f"there is no program {command[0]}", remedy="install it") from missing
    except subprocess.CalledProcessError as failed:
        raise CommandFailed(f"`{' '.join(command)}` failed: {failed.stderr.strip()}") from failed
    return done.stdout.strip()


def read_source(tree: Path) -> Source:
    """The source of the commit that is checked out in ``tree``. Without git the revision is `unknown`, and the time 0."""
    version = printed(tree, sys.executable, "-m", "hatchling", "version")
    try:
        revision, epoch = printed(tree, "git", "log", "-1", "--format=%H %ct").split()
    except CommandFailed:
        return Source(version, "unknown", 0)
    return Source(version, revision, int(epoch))
