"""Failpoints: each name at one place of the code; what an armed one does to its process; what is refused."""

import ast
import os
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from service.environment import load_settings
from service.errors import Misconfigured
from service.failpoints import NAMES, VARIABLE, arm, failpoint

ROOT = Path(__file__).parents[3]
PASSES = f"""
from service.failpoints import arm, failpoint
arm({{armed!r}})
for passage in range(1, 4):
    failpoint("{NAMES[1]}")
    failpoint("{NAMES[0]}")
    print(passage, flush=True)
"""


def passing(armed: str) -> subprocess.Popen[str]:
    """A process that passes two failpoints three times, and prints the number of each time."""
    return subprocess.Popen(
        [sys.executable, "-c", PASSES.format(armed=armed)], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )


def names_in_the_code() -> Counter[object]:
    """The names at the places of ``service/`` and ``backfill/``."""
    files = (path for part in ("service", "backfill") for path in (ROOT / part).rglob("*.py"))
    trees = (ast.parse(path.read_text(encoding="utf-8")) for path in files)
    calls = (node for tree in trees for node in ast.walk(tree) if isinstance(node, ast.Call))
    named = (call.args[0] for call in calls if isinstance(call.func, ast.Name) and call.func.id == "failpoint")
    return Counter(name.value if isinstance(name, ast.Constant) else ast.unparse(name) for name in named)


def test_each_name_stands_at_one_place_of_the_code_and_no_other_name_does() -> None:
    assert names_in_the_code() == Counter(NAMES)


def test_a_process_is_killed_at_the_passage_that_was_armed() -> None:
    with passing(f"{NAMES[0]}@2=kill") as process:
        assert process.communicate(timeout=60)[0] == "1\n"
    assert process.returncode == -signal.SIGKILL


def test_a_process_stands_still_there_until_it_is_continued() -> None:
    with passing(f"{NAMES[0]}@3=pause") as process:
        _, status = os.waitpid(process.pid, os.WUNTRACED)
        assert os.WIFSTOPPED(status)
        process.send_signal(signal.SIGCONT)
        assert process.communicate(timeout=60)[0] == "1\n2\n3\n"
    assert process.returncode == 0


def test_with_none_armed_a_failpoint_does_nothing() -> None:
    arm(f"{NAMES[0]}@1=kill")
    arm(None)
    failpoint(NAMES[0])


@pytest.mark.parametrize(
    "armed, line",
    [
        ("nowhere@1=kill", "there is no failpoint of this name"),
        (f"{NAMES[0]}@0=kill", "not of the form NAME@PASSAGE=kill or =pause"),
        (f"{NAMES[0]}@1=stop", "not of the form NAME@PASSAGE=kill or =pause"),
        (NAMES[0], "not of the form NAME@PASSAGE=kill or =pause"),
    ],
)
def test_what_names_no_failpoint_is_refused_with_one_line(
    monkeypatch: pytest.MonkeyPatch, armed: str, line: str
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    monkeypatch.setenv(VARIABLE, armed)
    with pytest.raises(Misconfigured) as refused:
        load_settings()
    assert refused.value.message == f"{VARIABLE}={armed}: {line}"


def test_it_is_refused_where_the_tables_are_not_a_tests(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "https://dynamodb.ap-southeast-2.amazonaws.com")
    monkeypatch.setenv(VARIABLE, f"{NAMES[0]}@1=kill")
    with pytest.raises(Misconfigured, match="for tests on a local server only"):
        load_settings()
