"""From the first cutover to the end on the page of a real sync: quarantine, conflicts, completion; then both tables are read."""

import signal
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from service.core.item.wire import Item
from service.rehearsal.demo.items import old_items, text
from service.rehearsal.servers.local_servers import free_port
from tests.acceptance.command_line import QUICK, CommandLine, ended, until
from tests.console.conftest import fits, violations

pytestmark = [pytest.mark.browser, pytest.mark.local, pytest.mark.slow]

TOKEN = "the-token-of-this-test"
SETTINGS = QUICK | {
    "TABLESPLIT_API_TOKEN": TOKEN,
    "TABLESPLIT_LEASE_SECONDS": "6",
    "TABLESPLIT_REQUEST_TIMEOUT_SECONDS": "3",
    "TABLESPLIT_CLOCK_MARGIN_SECONDS": "0.5",
    "TABLESPLIT_PURGE_GRACE_SECONDS": "40",
    "TABLESPLIT_GATE_LAG_SECONDS": "300",
    "TABLESPLIT_GATE_LAG_LOW_SECONDS": "0",
    "TABLESPLIT_GATE_QUIET_SECONDS": "1",
}
CREATED = "2024-05-06T07:08:09Z"
KEPT_OLD, KEPT_V2, MERGED, REPAIRED, DROPPED = "kept-old", "kept-v2", "merged", "repaired", "dropped"


def deal(identity: str, **more: Any) -> Item:
    key = {"pk": text(f"DEAL#{identity}"), "sk": text("METADATA"), "entity_type": text("DEAL"), "id": text(identity)}
    return {**key, "created_at": text(CREATED), "owner": text("before"), "title": text("before"), **more}


class Crm:
    """The two applications of the CRM, as plain boto3, and what each side has."""

    def __init__(self, cli: CommandLine) -> None:
        self.cli = cli

    def put_old(self, item: Item) -> None:
        self.cli.dynamodb.put_item(TableName=self.cli.table("OLD_TABLE_NAME"), Item=item)

    def delete_old(self, identity: str) -> None:
        key = {name: deal(identity)[name] for name in ("pk", "sk")}
        self.cli.dynamodb.delete_item(TableName=self.cli.table("OLD_TABLE_NAME"), Key=key)

    def set_old(self, identity: str, **fields: str) -> None:
        self._set(self.cli.table("OLD_TABLE_NAME"), {name: deal(identity)[name] for name in ("pk", "sk")}, fields)

    def set_v2(self, identity: str, **fields: str) -> None:
        key = {name: self._of("DEALS_TABLE", identity)[name] for name in ("PK", "SK")}
        self._set(self.cli.table("DEALS_TABLE"), key, fields)

    def fields(self, identity: str) -> dict[str, tuple[str, str] | None]:
        """Owner and title, by side; None: that side has no such item."""
        items = {"old": self._of("OLD_TABLE_NAME", identity), "v2": self._of("DEALS_TABLE", identity)}
        return {side: (item["owner"]["S"], item["title"]["S"]) if item else None for side, item in items.items()}

    def _of(self, variable: str, identity: str) -> Item:
        return next((item for item in self.cli.scan(variable) if item.get("id") == text(identity)), {})

    def _set(self, table: str, key: Item, fields: dict[str, str]) -> None:
        self.cli.dynamodb.update_item(
            TableName=table,
            Key=key,
            UpdateExpression="SET " + ", ".join(f"#{name} = :{name}" for name in fields),
            ExpressionAttributeNames={f"#{name}": name for name in fields},
            ExpressionAttributeValues={f":{name}": text(value) for name, value in fields.items()},
        )


@contextmanager
def paused(sync: subprocess.Popen[bytes]) -> Iterator[None]:
    """Nothing is carried during the block, so neither side sees what the other one writes."""
    sync.send_signal(signal.SIGSTOP)
    try:
        yield
    finally:
        sync.send_signal(signal.SIGCONT)


def confirm(page: Page, *, why: str = "", table: str = "") -> None:
    """Answer the dialog, and wait until the service has done it."""
    page.locator("#token").fill(TOKEN)
    for field, given in (("#why", why), ("#typed", table)):
        if given:
            page.locator(field).fill(given)
    if page.locator("#confirm").inner_text() == "Show what it gives up":
        page.locator("#confirm").click()
        expect(page.locator("#dialog-lines")).to_contain_text("This gives up:")
    page.locator("#sure").check()
    page.locator("#confirm").click()
    expect(page.locator("#dialog")).to_be_hidden()


def move(page: Page, button: str, to: str, *, table: str = "") -> None:
    """Make the move from the page, and wait for its phase."""
    expect(page.locator("#gate .count.good")).to_contain_text(f"to {to}: open")
    page.get_by_role("button", name=button, exact=True).click()
    confirm(page, why=f"it is time for {to}", table=table)
    expect(page.locator("#phases li.here .name")).to_have_text(to)


def row(page: Page, part: str, identity: str) -> Any:
    return page.locator(f"{part} tbody tr", has_text=f"DEAL#{identity}")


def picture(page: Page, pictures: Path, name: str) -> None:
    """Of the page as it is; what axe finds there is an error too."""
    assert violations(page) == []
    assert fits(page)
    page.screenshot(path=pictures / f"{name}.png", full_page=True)


def resolve_conflicts(page: Page, pictures: Path) -> None:
    """Three conflicts: one for each choice."""
    expect(page.locator("#conflicts tbody tr")).to_have_count(3)
    picture(page, pictures, "real-conflicts")
    row(page, "#conflicts", KEPT_OLD).get_by_role("button", name="Compare").click()
    owner = page.locator("#compared tr", has_text="owner")
    for value in ("before", "from-old", "from-v2"):
        expect(owner).to_contain_text(value)
    picture(page, pictures, "real-compared")
    page.locator("#compared").get_by_role("button", name="Keep old").click()
    confirm(page, why="old is right")
    expect(page.locator("#outcome")).to_contain_text("1 resolved")

    row(page, "#conflicts", MERGED).get_by_role("button", name="Compare").click()
    page.locator("#compared tr", has_text="title").get_by_role("radio", name="old").check()
    page.get_by_role("button", name="Keep as chosen").click()
    confirm(page, why="the title of one, the owner of the other")

    page.get_by_role("checkbox", name=f"Choose pk=DEAL#{KEPT_V2}").check()
    page.locator("#conflicts").get_by_role("button", name="Keep v2").click()
    confirm(page)
    expect(page.locator("#conflicts-list")).to_be_hidden()


def retry_quarantined(page: Page, crm: Crm, pictures: Path) -> None:
    """In `forward` a key waits as a whole: its item is corrected, and what waits is applied on the page."""
    crm.put_old(deal(REPAIRED, entity_type=text("GOBLIN")))
    crm.put_old(deal(REPAIRED, owner=text("corrected")))
    waiting = row(page, "#quarantine", REPAIRED)
    expect(waiting.locator("[data-name=changes]")).to_have_text("2")
    waiting.get_by_role("button", name="Compare").click()
    expect(page.locator("#compared")).to_contain_text("GOBLIN")
    expect(page.locator("#compared")).to_contain_text("Waiting change 2 of 2")
    picture(page, pictures, "real-quarantined")
    page.locator("#compared").get_by_role("button", name="Retry").click()
    confirm(page)
    expect(page.locator("#outcome")).to_contain_text("1 applied")
    expect(page.locator("#quarantine-list")).to_be_hidden()


def drop_quarantined(page: Page, crm: Crm) -> None:
    """A key that nobody wants, on either side: it is dropped, and deleted."""
    page.get_by_role("checkbox", name=f"Choose pk=DEAL#{DROPPED}").check()
    page.locator("#quarantine").get_by_role("button", name="Drop", exact=True).click()
    confirm(page, why="a test item")
    expect(page.locator("#quarantine-list")).to_be_hidden()
    assert crm.fields(DROPPED) == {"old": ("before", "before"), "v2": None}
    crm.delete_old(DROPPED)


def eventually(reading: Callable[[], object], wanted: object) -> None:
    """Sync carries what was resolved to the old table a moment later."""
    until(lambda: reading() == wanted, within=60, otherwise=lambda: f"{reading()}, wanted {wanted}")


@pytest.fixture
def cli(dynamodb_local: str, table_prefix: str, tmp_path: Path) -> CommandLine:
    settings = {**SETTINGS, "TABLESPLIT_HTTP_PORT": str(free_port())}
    return CommandLine(dynamodb_local, table_prefix, tmp_path, settings)


def test_what_is_settled_on_the_page_is_in_both_tables(cli: CommandLine, page: Page, pictures: Path) -> None:
    crm = Crm(cli)
    cli.make_old_table([*old_items(5), *map(deal, (KEPT_OLD, KEPT_V2, MERGED))])
    cli.run("full-migration")
    with ended(cli.start("sync")) as sync:
        until(lambda: "serving" in cli.stderr_of("sync"), within=60, otherwise=lambda: cli.stderr_of("sync"))
        page.goto(f"http://127.0.0.1:{cli.settings['TABLESPLIT_HTTP_PORT']}/")
        retry_quarantined(page, crm, pictures)
        move(page, "Cut over", "dual")
        with paused(sync):
            for identity in (KEPT_OLD, KEPT_V2):
                crm.set_old(identity, owner="from-old")
                crm.set_v2(identity, owner="from-v2")
            crm.set_old(MERGED, owner="from-old", title="from-old")
            crm.set_v2(MERGED, owner="from-v2", title="from-v2")
            crm.put_old(deal(DROPPED, entity_type=text("GOBLIN")))
        resolve_conflicts(page, pictures)
        drop_quarantined(page, crm)
        eventually(lambda: crm.fields(KEPT_OLD), dict.fromkeys(("old", "v2"), ("from-old", "before")))
        eventually(lambda: crm.fields(KEPT_V2), dict.fromkeys(("old", "v2"), ("from-v2", "before")))
        eventually(lambda: crm.fields(MERGED), dict.fromkeys(("old", "v2"), ("from-v2", "from-old")))
        eventually(lambda: crm.fields(REPAIRED), dict.fromkeys(("old", "v2"), ("corrected", "before")))
        assert crm.fields(DROPPED) == {"old": None, "v2": None}

        move(page, "Finish the cutover", "reverse")
        page.get_by_role("button", name="Validate", exact=True).click()  # the last gate wants one of this phase
        confirm(page)
        move(page, "Complete", "complete", table=cli.table("OLD_TABLE_NAME"))
        expect(page.locator("#headline")).to_have_text("Complete")
        picture(page, pictures, "real-complete")
    settled = [row for row in cli.run("audit", "list")["items"] if not row["action"].startswith(("move", "phase"))]
    assert [(row["action"], row["why"]) for row in settled] == [
        ("conflict resolved", "old is right"),
        ("conflict resolved", "the title of one, the owner of the other"),
        ("conflict resolved", ""),
        ("quarantine dropped", "a test item"),
    ]
