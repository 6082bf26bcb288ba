"""Each state of a migration as the page shows it, on a desktop and on a phone, light and dark; screenshots are kept."""

from dataclasses import replace
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from service.errors import Fatal
from service.migration.status.identity import MigrationIdentity
from tests.console.conftest import HOSTILE, PHONE, Service, fits, violations
from tests.console.states import IDENTITY, READY, STATES, conflicting, document, quarantined, verified

pytestmark = [pytest.mark.browser]

DARK = ("ready", "moving", "conflicts", "error")
"""The states that axe also looks at dark and on a phone: together they have every colour and part of the page."""


@pytest.mark.parametrize("name", STATES)
def test_each_state_has_its_headline_and_fits_a_phone(service: Service, page: Page, pictures: Path, name: str) -> None:
    service.view.document, headline = STATES[name]
    page.goto(service.url)
    expect(page.locator("#headline")).to_have_text(headline)
    expect(page.locator("#connection")).to_contain_text("live")
    page.screenshot(path=pictures / f"{name}.png", full_page=True)
    assert violations(page) == []
    page.emulate_media(color_scheme="dark")
    page.set_viewport_size(PHONE)  # type: ignore[arg-type] # a plain dict is what it wants
    page.screenshot(path=pictures / f"{name}-phone-dark.png", full_page=True)
    assert fits(page)
    if name in DARK:
        assert violations(page) == []


def test_the_phase_and_the_gates_reasons_are_shown(service: Service, page: Page) -> None:
    service.view.document = STATES["not-ready"][0]
    page.goto(service.url)
    expect(page.locator("#phases [aria-current]")).to_contain_text("forward")
    expect(page.locator("#gate .count")).to_contain_text("3 of 4 met")
    row = page.locator("#gate .unmet li")
    expect(row).to_have_count(1)
    expect(row).to_contain_text("not met validation")
    expect(row.get_by_role("button", name="Copy tablesplit validate")).to_be_visible()
    folded = page.locator("#gate details")
    expect(folded.get_by_text("backfill", exact=True)).to_be_hidden()
    folded.locator("summary").click()
    expect(folded.get_by_text("backfill", exact=True)).to_be_visible()
    expect(page.locator("#gate")).to_contain_text("Held: audit week, by ops")


def test_the_header_and_the_title_say_which_migration_it_is(service: Service, page: Page) -> None:
    page.goto(service.url)
    header = page.locator("header")
    expect(header.locator("summary")).to_have_text(
        "table crm, region eu-central-1, account 123456789012, version 1.4.0"
    )
    expect(header.get_by_text("crm-control")).to_be_hidden()
    expect(page).to_have_title("crm: forward - tablesplit")
    header.locator("summary").click()
    service.view.document = STATES["dual"][0]
    expect(page).to_have_title("crm: dual - tablesplit")
    expect(header.get_by_text("control table crm-control")).to_be_visible()


@pytest.mark.parametrize(
    ("identity", "where"),
    [
        (replace(IDENTITY, account=None), "region eu-central-1, account not known"),
        (replace(IDENTITY, account=None, endpoint="http://localhost:8000"), "server http://localhost:8000"),
    ],
    ids=["account-not-known", "server"],
)
def test_the_header_says_what_is_known_of_the_place(
    service: Service, page: Page, identity: MigrationIdentity, where: str
) -> None:
    service.view.document = document(replace(READY, identity=identity))
    page.goto(service.url)
    expect(page.locator("#identity summary")).to_have_text(f"table crm, {where}, version 1.4.0")


def test_a_change_is_shown_without_a_reload(service: Service, page: Page) -> None:
    service.view.document = STATES["copying"][0]
    page.goto(service.url)
    expect(page.locator("#backfill")).to_contain_text("3,100")
    service.view.document = STATES["ready"][0]
    expect(page.locator("#headline")).to_have_text("Ready to cut over", timeout=120_000)
    expect(page.locator("#lag svg[role=img]")).to_have_count(1)


def test_unreadable_state_is_reported_and_old_values_are_greyed(service: Service, page: Page, pictures: Path) -> None:
    page.goto(service.url)
    expect(page.locator("#headline")).to_have_text("Ready to cut over")
    service.view.failure_to_read = Fatal(
        "control table c does not exist: nothing has been started", remedy="run create-tables"
    )
    expect(page.locator("#headline")).to_have_text("The migration's state cannot be read", timeout=120_000)
    expect(page.locator("#advice")).to_contain_text("run create-tables")
    assert page.locator("button[data-action=onward]").is_disabled()
    assert "old" in (page.locator("main").get_attribute("class") or "")
    page.screenshot(path=pictures / "unreadable.png", full_page=True)


def test_a_stopped_service_is_reported_and_found_again(service: Service, page: Page, pictures: Path) -> None:
    page.goto(service.url)
    expect(page.locator("#connection")).to_contain_text("live")
    service.stop()
    expect(page.locator("#connection")).to_contain_text("No answer from the service since", timeout=120_000)
    assert page.locator("button[data-action=validate]").is_disabled()
    page.screenshot(path=pictures / "gone.png", full_page=True)
    service.view = type(service.view)()
    service.view.document = STATES["dual"][0]
    service.start()
    expect(page.locator("#connection")).to_contain_text("live", timeout=120_000)
    expect(page.locator("#headline")).to_have_text("Both sides are live")


def test_hostile_content_is_text(service: Service, page: Page, pictures: Path) -> None:
    named = replace(IDENTITY, old_table=HOSTILE, control_table=HOSTILE, endpoint=HOSTILE)
    service.view.document = document(
        replace(READY, identity=named),
        quarantine=[quarantined(HOSTILE, HOSTILE)],
        conflicts=[conflicting(HOSTILE)],
        verification=verified(HOSTILE),
        audit=[{"at": HOSTILE, "who": HOSTILE, "action": HOSTILE, "why": HOSTILE}],
        unready=HOSTILE,
    )
    page.set_viewport_size(PHONE)  # type: ignore[arg-type] # a plain dict is what it wants
    page.goto(service.url)
    expect(page.locator("#quarantine")).to_contain_text("<script>document.title='owned'</script>")
    expect(page.locator("#verification")).to_contain_text("<script>document.title='owned'</script>")
    expect(page).to_have_title(f"{HOSTILE}: forward - tablesplit")
    page.locator("#identity summary").click()
    assert page.locator("header img, header script, main img, main script").count() == 0
    assert fits(page)
    page.screenshot(path=pictures / "hostile-phone.png", full_page=True)
