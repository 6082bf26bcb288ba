"""Prometheus's programs, where they are installed."""

import shutil
import subprocess
from pathlib import Path

from service.errors import Misconfigured
from tests.fakes.servers import or_skip

PROMETHEUS = Path(__file__).parents[2] / "deploy" / "prometheus"
"""The configuration, the rules and their tests."""


def installed(name: str) -> str:
    """The program's path. Without it the test is skipped, and fails in CI."""
    with or_skip():
        found = shutil.which(name)
        if found is None:
            raise Misconfigured(f"{name} is not installed", remedy="apt-get install prometheus")
        return found


def promtool(*arguments: str) -> str:
    """Run promtool; fails unless it accepts. Returns its output."""
    done = subprocess.run([installed("promtool"), *arguments], cwd=PROMETHEUS, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout
