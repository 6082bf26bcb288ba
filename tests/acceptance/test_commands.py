"""The commands together, as real processes: quarantine and retry, a gap in the stream and its repair."""

import subprocess
from pathlib import Path

import pytest

from service.core.item.wire import Item
from service.rehearsal.demo.items import old_items, text
from tests.acceptance.command_line import QUICK, CommandLine, ended

pytestmark = [pytest.mark.local, pytest.mark.slow]


@pytest.fixture
def cli(dynamodb_local: str, table_prefix: str, tmp_path: Path) -> CommandLine:
    return CommandLine(dynamodb_local, table_prefix, tmp_path, QUICK)


def lead(identity: str, **more: Item) -> Item:
    key = {"pk": text(f"LEAD#{identity}"), "sk": text("METADATA"), "entity_type": text("LEAD")}
    return {**key, "id": text(identity), **more}


def put(cli: CommandLine, *items: Item) -> None:
    for item in items:
        cli.dynamodb.put_item(TableName=cli.table("OLD_TABLE_NAME"), Item=item)


def leads(cli: CommandLine) -> set[str]:
    """The ids of the live items in v2."""
    return {item["id"]["S"] for item in cli.scan("LEADS_TABLE") if "id" in item}


def ids(cli: CommandLine) -> dict[str, str]:
    return {item["key"]["pk"]: item["id"] for item in cli.ask("quarantine", "list")["items"]}


def test_nothing_is_started_twice_and_each_command_prints_one_document(cli: CommandLine) -> None:
    cli.make_old_table(old_items(30))
    not_started = cli.run("status", status=1)
    assert (not_started["phase"], not_started["started"]) == ("prepare", False)
    assert cli.run("preflight")["result"] == "passed"
    assert set(cli.run("create-tables")["tables"].values()) == {"created"}
    again = cli.run("create-tables")
    assert set(again["tables"].values()) == {"exists"}
    assert again["generation"] == 1
    assert cli.run("migrate", "--dry-run")["items"] == len(cli.scan("OLD_TABLE_NAME"))
    assert cli.run("migrate")["result"] == "finished"
    assert cli.run("migrate")["result"] == "already finished"
    assert cli.run("migrate", "--again")["present"] == len(cli.scan("OLD_TABLE_NAME"))
    assert cli.run("validate")["result"] == "equal"
    assert len(cli.run("drop-tables", "--yes")["dropped"]) == 5


def test_full_migration_ends_equal_and_leaves_forward(cli: CommandLine) -> None:
    cli.make_old_table(old_items(30))
    document = cli.run("full-migration")
    assert document["result"] == "equal"
    status = cli.run("status")
    assert (status["phase"], status["backfill"]["state"]) == ("forward", "finished")
    assert status["validation"]["result"] == "equal"


def test_a_key_in_quarantine_blocks_only_itself_and_leaves_once_it_is_corrected(cli: CommandLine) -> None:
    cli.make_old_table([lead("fine"), {**lead("copied"), "id": text("other")}])
    cli.run("create-tables")
    with ended(cli.start("sync", "--no-http")):
        assert cli.run("migrate", status=1)["quarantined"] == 1
        put(cli, {**lead("streamed"), "id": text("other")}, lead("later"))
        cli.catches_up()
        put(cli, lead("streamed"))  # waits behind the change that cannot be applied
        cli.catches_up()
        assert leads(cli) == {"fine", "later"}
        assert set(ids(cli)) == {"LEAD#copied", "LEAD#streamed"}
        shown = cli.run("quarantine", "show", ids(cli)["LEAD#streamed"])
        assert (shown["reason"], len(shown["changes"])) == ("key_mismatch", 2)
        assert cli.run("validate", status=1)["counts"]["LEAD"]["quarantined"] > 0

        cli.run("quarantine", "retry", "--all", status=1)  # the copied one is still wrong
        assert leads(cli) == {"fine", "later", "streamed"}
        put(cli, lead("copied"))
        cli.catches_up()
        assert ids(cli) == {}
        assert cli.run("validate")["result"] == "equal"


def test_a_dropped_key_leaves_a_difference_that_a_repair_removes(cli: CommandLine) -> None:
    cli.make_old_table([lead("fine")])
    cli.run("create-tables")
    with ended(cli.start("sync", "--no-http")):
        cli.run("migrate")
        put(cli, {**lead("bad"), "id": text("other")}, lead("bad"))
        cli.catches_up()
        assert cli.run("quarantine", "drop", ids(cli)["LEAD#bad"], "--yes")["changes_lost"] == 2
        report = cli.run("validate", status=1)
        assert [(row["kind"], row["old_key"]["pk"]) for row in report["differences"]] == [("missing", "LEAD#bad")]
        assert cli.run("validate", "--repair")["repaired"] == 1
        assert leads(cli) == {"fine", "bad"}


def test_a_new_stream_stops_sync_until_the_gap_is_accepted_and_repaired(cli: CommandLine) -> None:
    cli.make_old_table([lead("before")])
    cli.run("full-migration")
    switch_stream(cli, on=False)
    put(cli, lead("unseen"))
    switch_stream(cli, on=True)

    refused = subprocess.Popen.wait(cli.start("sync", "--no-http"), 30)
    assert refused == 3
    assert "changes may be lost" in cli.stderr_of("sync")
    assert "tablesplit create-tables --accept-gap, then tablesplit validate --repair" in cli.stderr_of("sync")

    assert cli.run("create-tables", "--accept-gap", "--yes")["generation"] == 2
    assert cli.run("status")["gap"] is not None
    with ended(cli.start("sync", "--no-http")):
        put(cli, lead("after"))
        cli.catches_up()
        assert leads(cli) == {"before", "after"}
        assert cli.run("validate", "--repair")["result"] == "equal"
        assert leads(cli) == {"before", "unseen", "after"}
    assert cli.run("status")["gap"] is None


def switch_stream(cli: CommandLine, *, on: bool) -> None:
    stream = {"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"} if on else {"StreamEnabled": False}
    cli.dynamodb.update_table(TableName=cli.table("OLD_TABLE_NAME"), StreamSpecification=stream)
