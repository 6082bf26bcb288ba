"""The runbook, followed by a person who has only the runbook: every command in it, on real tables, with a real `sync`."""

import re
import subprocess
from pathlib import Path
from typing import Any

import pytest

from service.core.item.wire import Item
from service.rehearsal.demo.items import old_items, text
from tests.acceptance.command_line import COMMAND, LASTING, QUICK, CommandLine, ended, until
from tests.documents.runbook import RUNBOOK, Book, Command, sections

pytestmark = [pytest.mark.local, pytest.mark.slow]

ROOT = Path(__file__).parents[2]
SETTINGS = QUICK | {
    "TABLESPLIT_LEASE_SECONDS": "4",
    "TABLESPLIT_REQUEST_TIMEOUT_SECONDS": "2",
    "TABLESPLIT_CLOCK_MARGIN_SECONDS": "0.5",
    "TABLESPLIT_GATE_LAG_LOW_SECONDS": "0",
    "TABLESPLIT_GATE_QUIET_SECONDS": "1",
    "TABLESPLIT_PURGE_GRACE_SECONDS": "8",
}
STEADY = LASTING | {"TABLESPLIT_LEASE_SECONDS": "10"}
"""A lease just long enough for a busy machine: each move waits for two writer horizons."""
BAD = {"pk": text("DEAL#bad"), "sk": text("METADATA"), "entity_type": text("GOBLIN"), "id": text("bad")}
SHARED = text("account-001")


class Stranger:
    """A person who follows the runbook, in the order of events."""

    def __init__(self, cli: CommandLine) -> None:
        self.cli = cli
        self.book = Book()

    def does(self, section: str, begins: str, *, status: int = 0, **placeholders: str) -> str:
        """Run the section's next command that begins with ``begins``; its output must have the lines that the runbook shows."""
        command = self.book.use(section, f"tablesplit {begins}")
        known = {"old-table": self.cli.table("OLD_TABLE_NAME"), **placeholders}
        words = [known.get(word.strip("<>"), word) for word in command.words[1:]]
        done = subprocess.run(
            [*COMMAND, *words], env=self.cli.environment() | STEADY, capture_output=True, text=True, timeout=180
        )
        output = done.stdout + done.stderr
        assert done.returncode == status, f"{command.line}: {output}"
        assert status != 0 or command.unlike(output) == [], f"{command.line}: {output}"
        return done.stdout

    def starts(self, section: str) -> Any:
        """Start the service by the section's command."""
        command = self.book.use(section, "tablesplit sync")
        return ended(self.cli.start(*command.words[1:], "--no-http"))

    def puts(self, item: Item) -> None:
        self.cli.dynamodb.put_item(TableName=self.cli.table("OLD_TABLE_NAME"), Item=item)

    def sets_company(self, table: str, company: str) -> None:
        """Set the company as the application does: once, since nothing of tablesplit's refuses it."""
        item = next(item for item in self.cli.scan(table) if item.get("id") == SHARED)
        self.cli.dynamodb.update_item(
            TableName=self.cli.table(table),
            Key={name: item[name] for name in (("pk", "sk") if table == "OLD_TABLE_NAME" else ("PK", "SK"))},
            UpdateExpression="SET company = :company",
            ExpressionAttributeValues={":company": text(company)},
        )


def test_a_stranger_moves_a_table_there_and_back_and_there_with_the_runbook_alone(
    own_dynamodb_local: str, table_prefix: str, tmp_path: Path
) -> None:
    cli = CommandLine(own_dynamodb_local, table_prefix, tmp_path, dict(SETTINGS))
    cli.make_old_table(old_items(30))
    stranger = Stranger(cli)
    stranger.does("start", "preflight")
    stranger.does("start", "create-tables")
    stranger.does("clean-up", "drop-tables")
    cli.run("create-tables")
    with stranger.starts("start"):
        stranger.does("start", "migrate")
        stranger.does("start", "validate")
        stranger.cli.catches_up()
        stranger.does("watch", "status")
        stranger.does("watch", "cutover --dry-run")
        slow_down_pause_and_crash(stranger)
        quarantine(stranger)
    down_for_a_day(stranger)
    with ended(cli.start("sync", "--no-http")):
        cut_over_and_roll_back(stranger)
        conflict(stranger)
        finish(stranger)
    assert stranger.book.unused == []


def slow_down_pause_and_crash(stranger: Stranger) -> None:
    command = stranger.book.use("slow-down", "tablesplit migrate")
    assert {"--max-write-units", "--max-read-units"} <= set(command.words)
    stranger.cli.run(
        *command.words[1:], "--again"
    )  # here the first copy has finished, while the runbook's reader has stopped it
    stranger.does("pause", "hold")
    stranger.does("pause", "release")
    stranger.does("crash", "status")
    stranger.does("crash", "migrate")


def quarantine(stranger: Stranger) -> None:
    stranger.puts(BAD)
    until(lambda: stranger.cli.ask("status")["quarantine"], within=60, otherwise=lambda: stranger.cli.stderr_of("sync"))
    listed = stranger.does("quarantine", "quarantine list")
    stranger.does("quarantine", "quarantine show", id=listed.split()[0])
    stranger.puts({**BAD, "entity_type": text("DEAL")})
    stranger.does("quarantine", "quarantine retry")
    until(
        lambda: not stranger.cli.ask("status")["quarantine"],
        within=60,
        otherwise=lambda: stranger.cli.stderr_of("sync"),
    )


def down_for_a_day(stranger: Stranger) -> None:
    """The old table gets a new stream: no stream has the writes in between."""
    dynamodb, old = stranger.cli.dynamodb, stranger.cli.table("OLD_TABLE_NAME")
    specification = {"StreamEnabled": False}
    dynamodb.update_table(TableName=old, StreamSpecification=specification)
    stranger.sets_company("OLD_TABLE_NAME", "written unseen")
    dynamodb.update_table(
        TableName=old, StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"}
    )
    done = subprocess.run(
        [*COMMAND, "migrate"], env=stranger.cli.environment(), capture_output=True, text=True, timeout=60
    )
    shown = re.findall(r"```text\n(error.*?)\n```", sections()["down-for-a-day"])
    assert len(shown) == 1
    assert Command("", "", tuple(shown)).unlike(done.stderr) == []
    stranger.does("down-for-a-day", "create-tables --accept-gap")
    with ended(stranger.cli.start("sync", "--no-http")):
        stranger.cli.catches_up()
        stranger.does("down-for-a-day", "validate --repair")
        stranger.does("down-for-a-day", "validate")


def gate_opens(stranger: Stranger, command: str) -> None:
    def answer() -> Any:
        return stranger.cli.run(command, "--dry-run", status=None)

    until(lambda: answer()["open"], within=90, otherwise=lambda: str(answer()))


def cut_over_and_roll_back(stranger: Stranger) -> None:
    stranger.cli.catches_up()
    gate_opens(stranger, "cutover")
    stranger.does("cut-over", "cutover --dry-run")
    stranger.does("cut-over", "cutover --table")
    stranger.does("cut-over", "conflicts list")
    gate_opens(stranger, "rollback")
    stranger.does("roll-back", "rollback --dry-run")
    stranger.does("roll-back", "rollback --table")
    # the runbook's next step after a rollback; its condition is met in any case
    stranger.does("cut-over", "cutover --force")


def conflict(stranger: Stranger) -> None:
    """Both sides change one field of one record within the lag, until one of them loses."""

    def differ() -> str:
        for n in range(5):
            stranger.sets_company("OLD_TABLE_NAME", f"old {n}")
            stranger.sets_company("LEADS_TABLE", f"v2 {n}")
        stranger.cli.catches_up()
        return next((row["id"] for row in stranger.cli.ask("conflicts", "list")["items"]), "")

    until(differ, within=120, otherwise=lambda: stranger.cli.stderr_of("sync"))
    listed = stranger.does("conflicts", "conflicts list")
    identity = listed.split()[0]
    stranger.does("conflicts", "conflicts show", id=identity)
    stranger.does("conflicts", "conflicts resolve", id=identity)
    for other in stranger.cli.ask("conflicts", "list")["items"]:
        stranger.cli.ask("conflicts", "resolve", other["id"], "--keep", "v2", "--yes")


def finish(stranger: Stranger) -> None:
    stranger.does("finish", "validate")
    stranger.does("finish", "cutover --finish")
    stranger.does("roll-back", "rollback --table")
    stranger.cli.run("cutover", "--yes", "--finish", "--wait", "60")
    stranger.does("finish", "validate")
    stranger.does("finish", "complete")
    assert "complete" in stranger.does("clean-up", "audit list")
    stranger.does("clean-up", "audit verify")


def test_every_section_that_something_links_to_is_there() -> None:
    linked = set()
    for folder in ("deploy", "service/http_api/page"):
        for path in (ROOT / folder).rglob("*"):
            if path.suffix in (".yml", ".json", ".js", ".html", ".md", ".py"):
                linked |= set(re.findall(r"RUNBOOK\.md#([\w-]+)", path.read_text(encoding="utf-8")))
    within = set(re.findall(r"\]\(#([\w-]+)\)", RUNBOOK.read_text(encoding="utf-8")))
    assert len(linked) > 10
    assert within <= sections().keys()
    assert linked <= sections().keys()
