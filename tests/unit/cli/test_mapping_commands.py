"""`mapping check|explain|test` as a person gives them: what is printed, and the exit status."""

import json
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from service.cli.main import main
from service.config import Settings
from service.core.item.wire import Item
from service.core.item.write import Put
from tests.builders.designs import TABLES, items_of
from tests.builders.mappings import MERGE_TEXT
from tests.builders.small_crm import MAPPING, by_reverse, deal, lead
from tests.fakes.memory import MemoryDynamoDB

HOSTILE = "a\x1b[2J\nb"


class Folder:
    """A folder with a mapping file, and the commands that are run in it."""

    def __init__(self, path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
        self.path, self.monkeypatch, self.capsys = path, monkeypatch, capsys
        self.write("m.yaml", MERGE_TEXT)

    def write(self, name: str, text: str) -> None:
        (self.path / name).write_text(text, encoding="utf-8")

    def run(self, *arguments: str, status: int = 0) -> str:
        """What the command prints on stdout, or on stderr where it ends with an error."""
        self.monkeypatch.setattr(sys, "argv", ["tablesplit", "mapping", *arguments])
        with pytest.raises(SystemExit) as end:
            main()
        printed = self.capsys.readouterr()
        assert end.value.code == status, printed
        return printed.out or printed.err


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Folder:
    monkeypatch.chdir(tmp_path)
    return Folder(tmp_path, monkeypatch, capsys)


def test_a_good_mapping_is_one_line(folder: Folder) -> None:
    assert folder.run("check", "m.yaml").startswith("merge: version 1, hash ")
    assert folder.run("check", "m.yaml").endswith("entities LEAD, DEAL, v2 tables leads, deals\n")
    assert json.loads(folder.run("check", "m.yaml", "--json"))["tables"] == ["leads", "deals"]


def test_a_wrong_mapping_has_a_line_for_each_problem(folder: Folder) -> None:
    folder.write(
        "m.yaml", MERGE_TEXT.replace("default: contacted}", "default: 7}").replace("{type: number}", "{type: no}")
    )
    lines = folder.run("check", "m.yaml", status=2).splitlines()
    assert lines[0] == "error: m.yaml has 2 problems"
    assert [line.split(": ")[0] for line in lines[1:3]] == ["m.yaml:26", "m.yaml:40"]
    assert lines[3].startswith("what to do: correct the mapping file")
    document = json.loads(folder.run("check", "m.yaml", "--json", status=2))
    assert [row["line"] for row in document["error"]["problems"]] == [26, 40]


def test_an_item_of_a_file_is_explained_offline(folder: Folder) -> None:
    folder.write("item.json", json.dumps(lead("a", followers={"S": "7"}, note={"S": HOSTILE})))
    text = folder.run("explain", "--item", "item.json", "--mapping", "m.yaml", "--set", "status=won")
    assert "comes back byte for byte" in text
    assert 'after the edit on v2: status = {"S":"won"}' in text
    assert "converted to int; residue: the original of followers" in text
    assert text.replace("\n", "").isprintable()
    document = json.loads(folder.run("explain", "--item", "item.json", "--mapping", "m.yaml", "--json"))
    assert document["items"][0]["differs"] == []


def test_a_mapping_is_tried_on_the_items_of_a_file(folder: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TABLESPLIT_MAPPING", "m.yaml")
    folder.write("items.json", "\n".join(json.dumps({"Item": item}) for item in (lead("a"), deal("b"))))
    assert "2 items: 2 given back, 0 not given back, 0 rejected\nby entity: DEAL 1, LEAD 1\n" in folder.run(
        "test", "items.json"
    )
    folder.write("items.json", json.dumps([lead("a"), lead(HOSTILE, id={"S": "b"})]))
    text = folder.run("test", "items.json", status=1)
    assert "REJECTED  LEAD  pk=LEAD#a\\u001b[2J\\nb sk=METADATA: key_mismatch" in text
    assert json.loads(folder.run("test", "items.json", "--json", status=1))["rejected"] == {"key_mismatch": 1}


def test_items_that_stay_behind_are_counted_and_explained(folder: Folder) -> None:
    mapping, items = str(TABLES / "invoices-onetable.yaml"), str(TABLES / "invoices-onetable.json")
    text = folder.run("test", items, "--mapping", mapping)
    assert "39 items: 35 given back, 0 not given back, 0 rejected\nleft out, they stay behind: 4\n" in text
    lock = next(item for item in items_of("invoices-onetable") if item["_type"] == {"S": "_Unique"})
    folder.write("lock.json", json.dumps(lock))
    assert "leave_out" in folder.run("explain", "--item", "lock.json", "--mapping", mapping)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["check", "no.yaml"], "mapping file no.yaml: No such file or directory"),
        (["test", "no.json", "--mapping", "m.yaml"], "cannot read no.json: No such file or directory"),
        (["test", "m.yaml", "--mapping", "m.yaml"], "m.yaml: line 2: not JSON: Expecting value"),
        (["explain", "pk=x", "--item", "x"], "Give KEY, or --item."),
        (["explain", "--set", "a=b"], "--set needs KEY, or --item."),
    ],
)
def test_wrong_usage_is_one_line(folder: Folder, arguments: list[str], said: str) -> None:
    assert folder.run(*arguments, status=2).startswith(f"error: {said}")


def over(monkeypatch: pytest.MonkeyPatch, *items: Item) -> None:
    """Let commands find an old table with these items."""
    db = MemoryDynamoDB()
    db.create_table("old", ("pk", "sk"))
    for item in items:
        db.apply(Put("old", item))

    @asynccontextmanager
    async def open_app(_: object) -> AsyncIterator[Any]:
        yield SimpleNamespace(mapping=MAPPING, store=db)

    monkeypatch.setattr("service.cli.run.open_app", open_app)
    monkeypatch.setattr("service.cli.run.load_settings", Settings)


def test_an_item_of_the_old_table_is_explained_as_the_application_sees_it(
    folder: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    over(monkeypatch, by_reverse(lead("a")))
    for key in (["pk=LEAD#a", "sk=METADATA"], ["pk=LEAD#a sk=METADATA"]):
        (explained,) = json.loads(folder.run("explain", *key, "--json"))["items"]
        assert explained["old"] == lead("a")
    assert folder.run("explain", "pk=LEAD#b sk=METADATA", status=1).startswith(
        "error: old table old has no item pk=LEAD#b"
    )


def test_without_a_key_an_item_of_each_entity_is_explained(folder: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    over(monkeypatch, lead("a"), lead("b"), deal("c"), {**lead("d"), "entity_type": {"S": "X"}})
    explained = json.loads(folder.run("explain", "--json"))["items"]
    assert {one["entity"] for one in explained} >= {"LEAD", "DEAL"}
    assert len({one["entity"] for one in explained}) == len(explained)
