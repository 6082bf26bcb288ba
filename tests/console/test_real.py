"""The page of a real sync over real tables: it shows what the command line prints, and its buttons work."""

from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from service.rehearsal.demo.items import old_items
from service.rehearsal.servers.local_servers import free_port
from tests.acceptance.command_line import LASTING, QUICK, CommandLine, ended, until

pytestmark = [pytest.mark.browser, pytest.mark.local, pytest.mark.slow]

TOKEN = "the-token-of-this-test"
BAD = {"pk": {"S": "DEAL#bad"}, "sk": {"S": "METADATA"}, "entity_type": {"S": "GOBLIN"}, "id": {"S": "<b>bad</b>"}}


def act(page: Page, button: str, why: str) -> None:
    page.get_by_role("button", name=button, exact=True).first.click()
    page.locator("#token").fill(TOKEN)
    if why:  # a release takes none
        page.locator("#why").fill(why)
    page.locator("#sure").check()
    page.locator("#confirm").click()
    expect(page.get_by_role("dialog")).to_be_hidden(timeout=120_000)


def test_a_person_follows_a_migration_on_the_page(
    dynamodb_local: str, table_prefix: str, tmp_path: Path, page: Page, pictures: Path
) -> None:
    port = free_port()
    settings = {**QUICK, **LASTING, "TABLESPLIT_HTTP_PORT": str(port), "TABLESPLIT_API_TOKEN": TOKEN}
    cli = CommandLine(dynamodb_local, table_prefix, tmp_path, settings)
    cli.make_old_table([*old_items(20), BAD])
    cli.run("create-tables")
    with ended(cli.start("sync")):
        cli.run("migrate", status=1)  # an item is in quarantine
        until(lambda: "serving" in cli.stderr_of("sync"), within=60, otherwise=lambda: cli.stderr_of("sync"))
        page.goto(f"http://127.0.0.1:{port}/")
        expect(page.locator("#headline")).to_have_text("Items in quarantine", timeout=120_000)
        expect(page).to_have_title(f"{cli.table('OLD_TABLE_NAME')}: forward - tablesplit")
        expect(page.locator("#identity summary")).to_contain_text(f"server {dynamodb_local}")
        expect(page.locator("#quarantine")).to_contain_text("pk=DEAL#bad sk=METADATA")
        act(page, "Validate", "")
        expect(page.locator("#validation")).to_contain_text("differences, at", timeout=120_000)
        act(page, "Hold", "audit week")
        expect(page.locator("#gate")).to_contain_text("Held: audit week", timeout=120_000)
        expect(page.locator("#audit")).to_contain_text("audit week")
        page.screenshot(path=pictures / "real.png", full_page=True)
        assert cli.run("status")["hold"].startswith("audit week")
        act(page, "Release", "")
        expect(page.locator("#audit")).to_contain_text("release", timeout=120_000)
        page.get_by_role("button", name="Compare").click()
        expect(page.locator("#compared tr", has_text="entity_type")).to_contain_text("GOBLIN")
        page.get_by_role("button", name="Close").click()
        page.get_by_role("checkbox", name="Choose pk=DEAL#bad").check()
        act(page, "Drop", "a test item")
        expect(page.locator("#quarantine-list")).to_be_hidden(timeout=120_000)
        expect(page.locator("#audit")).to_contain_text("a test item", timeout=120_000)
        assert cli.run("quarantine", "list")["items"] == []
        page.locator("#log-fold summary").click()
        expect(page.locator("#log")).to_contain_text("serving")
