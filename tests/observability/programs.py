"""Prometheus's programs, where they are installed."""

import subprocess
from pathlib import Path

from tests.fakes.servers import required

PROMETHEUS = Path(__file__).parents[2] / "deploy" / "prometheus"
"""The configuration, the rules and their tests."""


def promtool(*arguments: str) -> str:
    """What promtool says; fails unless it is content."""
    done = subprocess.run(
        [required("promtool", "prometheus"), *arguments], cwd=PROMETHEUS, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout
