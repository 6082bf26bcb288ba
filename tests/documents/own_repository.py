"""A git repository of a test's own, with files of this work tree."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

from tests.fakes.servers import required

ROOT = Path(__file__).parents[2]
COMMITTED_AT = 1_700_000_000
LEFT_OUT = (".git", ".venv*", ".*_cache", ".hypothesis", ".terraform", "__pycache__", "build", "dist")
IDENTITY = {
    f"GIT_{role}_{key}": value
    for role in ("AUTHOR", "COMMITTER")
    for key, value in {"NAME": "test", "EMAIL": "test@example.invalid", "DATE": f"{COMMITTED_AT} +0000"}.items()
}
QUIET = {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1"}


def git(folder: Path, *arguments: str) -> str:
    """What git prints, with no configuration but its own, at a time that is always the same."""
    done = subprocess.run(
        [required("git", "git"), *arguments],
        cwd=folder,
        env={**os.environ, **IDENTITY, **QUIET},
        capture_output=True,
        text=True,
        check=True,
        timeout=600,
    )
    return done.stdout.strip()


def committed(folder: Path) -> Path:
    """``folder`` as a repository of one commit."""
    git(folder, "init", "--quiet")
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--message", "All of it")
    return folder


def copied(folder: Path, *names: str) -> Path:
    """These files of the work tree in ``folder``; without names, all that git would take."""
    if not names:
        return Path(shutil.copytree(ROOT, folder, ignore=shutil.ignore_patterns(*LEFT_OUT), dirs_exist_ok=True))
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT / name, folder / name)
    return folder


def hatchling(folder: Path, *arguments: str) -> str:
    """What the build plugin says in ``folder``."""
    done = subprocess.run(
        [sys.executable, "-m", "hatchling", *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        check=True,
        timeout=600,
    )
    return done.stdout.strip()
