"""`mapping init` on files: what it prints and writes, and what it refuses."""

import gzip
import json
import os
from pathlib import Path

import pytest

from service.cli.mapping_init import init
from service.core.mapping.mapping import load_mapping
from service.errors import Fatal, Misconfigured, TablesplitError
from tests.builders.designs import TABLES, items_of

DESIGN = "invoices-onetable"


def run(*arguments: str) -> int:
    """The exit status."""
    with pytest.raises(SystemExit) as ended:
        init.main([*arguments], standalone_mode=False)
    assert isinstance(ended.value.code, int)
    return ended.value.code


def refused(kind: type[TablesplitError], *arguments: str) -> str:
    with pytest.raises(kind) as error:
        init.main([*arguments], standalone_mode=False)
    return error.value.message


def test_the_draft_is_printed_and_the_count_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("--from", str(TABLES / f"{DESIGN}.json")) == 0
    said = capsys.readouterr()
    assert set(load_mapping(said.out, source="draft").entities) == {"Account", "User", "Product", "Invoice"}
    assert said.err == "35 of 39 items of the sample are mapped and come back as they were, 4 stay behind\n"


def test_a_file_of_an_export_is_read_as_it_is(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    export = tmp_path / "things.json.gz"
    export.write_bytes(gzip.compress("".join(json.dumps({"Item": one}) + "\n" for one in items_of("game")).encode()))
    assert run("--from", str(export), "--sample", "20") == 0
    assert "name: things" in capsys.readouterr().out


def test_output_is_for_its_owner_alone(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "draft.yaml"
    file.write_text("x" * 100_000)
    file.chmod(0o644)
    assert run("--from", str(TABLES / f"{DESIGN}.json"), "--output", str(file)) == 0
    assert file.stat().st_mode & 0o777 == 0o600
    load_mapping(file.read_text(encoding="utf-8"), source="draft")
    assert str(file) in capsys.readouterr().out


def test_output_goes_through_no_link(tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.write_text("mine")
    for name, link in (("soft", os.symlink), ("hard", os.link)):
        link(other, tmp_path / name)
        message = refused(Fatal, "--from", str(TABLES / f"{DESIGN}.json"), "--output", str(tmp_path / name))
        assert message.startswith(f"cannot write {tmp_path / name}")
    assert other.read_text() == "mine"


def test_items_that_cannot_be_mapped_are_an_answer_of_no(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    items = [{"pk": {"S": f"A#{number}x"}, "_type": {"S": "Thing"}} for number in range(30)]
    file = tmp_path / "items.json"
    file.write_text(json.dumps([*items, {"pk": {"S": "A#0y"}}]))
    assert run("--from", str(file)) == 1
    said = capsys.readouterr()
    assert said.out.startswith("# Not mapped: ")
    assert "1 cannot be mapped" in said.err


def test_a_key_that_nothing_says_is_asked_for(tmp_path: Path) -> None:
    file = tmp_path / "items.json"
    file.write_text(json.dumps([{"customer": {"S": f"c{number}"}, "day": {"N": "7"}} for number in range(5)]))
    assert "does not say which attributes are the key" in refused(Misconfigured, "--from", str(file))
    assert run("--from", str(file), "--key", "customer", "--key", "day") == 0


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    assert "No such file" in refused(Misconfigured, "--from", str(tmp_path / "none.json"))
