"""Where two image archives differ is said by name: a file's mode, owner, time or content, and the image's description."""

import io
import json
import tarfile
from pathlib import Path
from typing import Any

import pytest

from deploy.release.difference import differences


def archive(
    file: Path, *, content: bytes = b"one", name: str = "opt/file", created: str = "then", **member: Any
) -> Path:
    """An image of one layer with one file."""
    layer = io.BytesIO()
    with tarfile.open(fileobj=layer, mode="w") as opened:
        put(opened, name, content, **member)
    parts = {
        "manifest.json": json.dumps([{"Config": "config", "Layers": ["layer"]}]).encode(),
        "config": json.dumps({"created": created, "os": "linux"}).encode(),
        "layer": layer.getvalue(),
    }
    with tarfile.open(file, "w") as opened:
        for part, held in parts.items():
            put(opened, part, held)
    return file


def put(opened: tarfile.TarFile, name: str, content: bytes, **member: Any) -> None:
    info = tarfile.TarInfo(name)
    info.size = len(content)
    for field, value in member.items():
        setattr(info, field, value)
    opened.addfile(info, io.BytesIO(content))


def different(folder: Path, **changed: Any) -> list[str]:
    return differences(archive(folder / "one.tar"), archive(folder / "other.tar", **changed))


def test_the_same_image_has_none(tmp_path):
    assert different(tmp_path) == []


@pytest.mark.parametrize("changed", [{"content": b"two"}, {"mtime": 7}, {"mode": 0o755}, {"uid": 5}], ids=str)
def test_a_file_that_differs_is_named_with_both_sides(tmp_path, changed):
    (line,) = different(tmp_path, **changed)
    assert line.startswith("layer 0: opt/file: ('0o644', 0, 0, 0, 3, ")
    assert line.count("0o") == 2


def test_a_file_on_one_side_only_is_named_with_none_on_the_other(tmp_path):
    first, second = different(tmp_path, name="opt/other")
    assert first.startswith("layer 0: opt/file:")
    assert first.endswith("/ None")
    assert second.startswith("layer 0: opt/other: None /")


def test_a_description_that_differs_is_said(tmp_path):
    assert different(tmp_path, created="now") == ["""description: created: ('"then"',) / ('"now"',)"""]
