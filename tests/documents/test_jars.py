"""The jars of the kcl engine's daemon are held to the checksums in the repository, wherever they are built."""

import hashlib
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.documents.pages import ROOT

KCL = ROOT / "deploy" / "kcl"
JARS = {"a.jar": b"a", "b.jar": b"b"}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A copy of the script, with a list of two jars, and these jars in ``lib``."""
    shutil.copy(KCL / "check_jars.sh", tmp_path)
    (tmp_path / "lib").mkdir()
    for name, content in JARS.items():
        (tmp_path / "lib" / name).write_bytes(content)
    lines = [f"{hashlib.sha256(content).hexdigest()}  {name}\n" for name, content in JARS.items()]
    (tmp_path / "jars.sha256").write_text("".join(lines))
    return tmp_path


def check(folder: Path, *options: str) -> "subprocess.CompletedProcess[str]":
    command = ["sh", str(folder / "check_jars.sh"), str(folder / "lib"), *options]
    return subprocess.run(command, capture_output=True, text=True, timeout=30)


def test_the_jars_that_are_listed_pass(folder: Path) -> None:
    assert check(folder).returncode == 0


@pytest.mark.parametrize(
    ("name", "content"), [("a.jar", b"other"), ("a.jar", None), ("c.jar", b"c")], ids=["another", "missing", "one more"]
)
def test_what_differs_is_refused(folder: Path, name: str, content: bytes | None) -> None:
    jar = folder / "lib" / name
    if content is None:
        jar.unlink()
    else:
        jar.write_bytes(content)
    checked = check(folder)
    assert checked.returncode == 1
    assert name in checked.stdout
    assert "are not those of deploy/kcl/jars.sha256" in checked.stderr


def test_after_a_change_of_the_pom_the_list_is_written_anew(folder: Path) -> None:
    (folder / "lib" / "c.jar").write_bytes(b"c")
    assert check(folder, "--write").returncode == 0
    assert check(folder).returncode == 0


def test_every_build_of_the_daemon_asks() -> None:
    for build in ("Dockerfile", "Makefile"):
        text = (ROOT / build).read_text()
        assert len(re.findall(r"\bmvn .* package$", text.replace(" \\\n", "\n"), re.MULTILINE)) == 1, build
        assert len(re.findall(r"sh (?:deploy/kcl/)?check_jars\.sh (?:deploy/kcl/)?target/lib", text)) == 1, build
    sent = (ROOT / ".dockerignore").read_text().splitlines()
    assert {"!deploy/kcl/jars.sha256", "!deploy/kcl/check_jars.sh"} <= set(sent)


def test_the_list_has_what_the_pom_names() -> None:
    listed = (KCL / "jars.sha256").read_text()
    assert "  amazon-kinesis-client-multilang-3.1.3.jar\n" in listed
    assert "  dynamodb-streams-kinesis-adapter-2.0.1.jar\n" in listed
