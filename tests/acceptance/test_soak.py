"""A soak with small numbers: each kind of trouble some times. `make soak` runs it with hundreds."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from service.rehearsal.servers.dynamodb_local import java_command
from tests.fakes.servers import or_skip

pytestmark = [pytest.mark.local, pytest.mark.kill, pytest.mark.slow]

ROOT = Path(__file__).parents[2]
NUMBERS = {"kills": 8, "pauses": 3, "faults": 8, "cycles": 1}
DEADLINE_SECONDS = 900
"""On an idle machine it takes a tenth of this."""


def test_kills_pauses_and_faults_under_writers_of_both_sides_lose_nothing(tmp_path: Path) -> None:
    with or_skip():
        java_command()
    numbers = [text for name, number in NUMBERS.items() for text in (f"--{name}", str(number))]
    command = [sys.executable, "-m", "bench.soak", *numbers, "--seed", "1", "--lease", "1.5", "--folder", str(tmp_path)]
    done = subprocess.run(
        command, cwd=ROOT, env=dict(os.environ), capture_output=True, text=True, timeout=DEADLINE_SECONDS
    )
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    for row, number in (("`kill -9`", 8), ("pauses longer than a lease", 3), ("faults of the server", 8)):
        made = re.search(rf"^\| {row} \| (\d+) of", done.stdout, re.MULTILINE)
        assert made is not None, done.stdout
        assert int(made[1]) >= number
    assert "| cycles there and back | 1 of 1 (4 moves) |" in done.stdout
