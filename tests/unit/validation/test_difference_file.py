"""``--output`` has keys in it: it is for its owner alone, and goes where the operator said, not where a link leads."""

import os
from pathlib import Path

import pytest

from service.errors import Fatal
from service.validation.difference_file import DifferenceFile


@pytest.fixture
def output(tmp_path: Path) -> Path:
    return tmp_path / "differences.jsonl"


def mode(path: Path) -> int:
    return path.stat().st_mode & 0o777


def test_a_new_file_is_its_owners_alone_whatever_the_umask(output: Path) -> None:
    before = os.umask(0)
    with DifferenceFile.open(output, 0) as file:
        file.append([{"key": "a"}], done="")
    os.umask(before)
    assert (mode(output), output.read_text()) == (0o600, '{"key": "a"}\n')


def test_an_existing_file_becomes_its_owners_alone(output: Path) -> None:
    output.write_text("old")
    output.chmod(0o644)
    DifferenceFile.open(output, 0).__exit__(None, None, None)
    assert (mode(output), output.read_text()) == (0o600, "")


def test_a_link_is_not_followed(output: Path, tmp_path: Path) -> None:
    target = tmp_path / "precious"
    target.write_text("precious")
    output.symlink_to(target)
    with pytest.raises(Fatal, match="it is a link, which is not followed; nothing was compared"):
        DifferenceFile.open(output, 0)
    assert target.read_text() == "precious"


def test_a_hard_link_is_not_written(output: Path, tmp_path: Path) -> None:
    target = tmp_path / "precious"
    target.write_text("precious")
    target.chmod(0o644)
    output.hardlink_to(target)
    with pytest.raises(Fatal, match="it has another name too"):
        DifferenceFile.open(output, 0)
    assert (mode(target), target.read_text()) == (0o644, "precious")


def test_another_users_file_is_not_written(output: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    output.write_text("theirs")
    monkeypatch.setattr(os, "geteuid", lambda: output.stat().st_uid + 1)
    with pytest.raises(Fatal, match="it belongs to another user"):
        DifferenceFile.open(output, 0)
    assert output.read_text() == "theirs"
